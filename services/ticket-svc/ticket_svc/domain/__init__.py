"""The rules of tickets and of the mails about them: pure, time and ids are arguments."""
