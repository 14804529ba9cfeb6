"""What notify-svc remembers: tables, and the statements beside what uses them."""
