"""The private Dovecot's configuration: 2.4 has other names for the same things as 2.3."""

_BOTH = """\
base_dir = {sockets}
state_dir = {sockets}
log_path = /dev/stderr
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = {uid}
first_valid_gid = {gid}
auth_mechanisms = plain login xoauth2
ssl = yes
mail_fsync = never
mail_max_userip_connections = 100
lda_mailbox_autocreate = yes
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  separator = {separator}
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  {connections_of_a_process}
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
"""

_OF_2_3 = """\
disable_plaintext_auth = no
ssl_cert = <{base}/cert.pem
ssl_key = <{base}/key.pem
mail_location = maildir:~/Maildir
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {base}/oauth2.conf
}}
passdb {{
  driver = static
  mechanisms = plain login
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/mail/%u
}}
"""

# RFC 7662: whoever listens there says whose the access tokens are.
_OAUTH2_OF_2_3 = """\
introspection_mode = post
introspection_url = http://127.0.0.1:{introspection}/introspect
username_attribute = username
active_attribute = active
active_value = true
"""

_OF_2_4 = """\
auth_allow_cleartext = yes
ssl_server_cert_file = {base}/cert.pem
ssl_server_key_file = {base}/key.pem
mail_driver = maildir
mail_path = ~/Maildir
passdb oauth2 {{
  mechanisms_filter = xoauth2
}}
oauth2 {{
  introspection_mode = post
  introspection_url = http://127.0.0.1:{introspection}/introspect
  username_attribute = username
  active_attribute = active
  active_value = true
}}
passdb static {{
  mechanisms_filter = plain login
  password = {password}
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {base}/mail/%{{user}}
  }}
}}
"""
_FIRST_OF_2_4 = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"


def configuration(version: str, **values: object) -> dict[str, str]:
    """Its files by name, for what ``dovecot --version`` says."""
    if version.startswith("2.3"):
        both = _BOTH.format(connections_of_a_process="service_count = 0", **values)
        return {
            "dovecot.conf": both + _OF_2_3.format(**values),
            "oauth2.conf": _OAUTH2_OF_2_3.format(**values),
        }
    both = _BOTH.format(connections_of_a_process="restart_request_count = unlimited", **values)
    return {"dovecot.conf": _FIRST_OF_2_4 + both + _OF_2_4.format(**values)}
