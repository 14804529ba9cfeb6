"""`deskwire`: what an operator types. A slow import waits for the command that needs it."""

from deskwire.cli import (
    blobs,
    dlq,
    docs,
    doctor,
    keys,
    mail,
    migrate,
    outbox,
    reproject,
    templates,
    topology,
    up,
)
from deskwire.cli.app import App

app = App("Runs and looks after Deskwire.")
app.command("up")(up.up)
app.command("migrate")(migrate.migrate)
app.command("doctor")(doctor.doctor)
app.command("reproject")(reproject.reproject)
app.command("docs")(docs.docs)
app.command("blobs")(blobs.blobs)
app.add_typer(topology.app, name="topology")
app.add_typer(keys.app, name="keys")
app.add_typer(dlq.app, name="dlq")
app.add_typer(outbox.app, name="outbox")
app.add_typer(mail.app, name="mail")
app.add_typer(templates.app, name="templates")
