"""Settings of the notifier's mail; its state folder is in `connectors.settings`."""

from dataclasses import dataclass

from connectors.settings import Variables, mail_server, setting


@dataclass(frozen=True)
class NotifierSettings(Variables):
    """Mail server, sender of the e-mails, and limits for their delivery."""

    smtp_url: str = mail_server()
    mail_sender: str = setting(
        "notifications@millrace.example",
        "Sender address of the notifier's e-mails",
        pattern=r"[^\s@<>\"]+@[A-Za-z0-9.-]+",
        form="an e-mail address",
    )
    mail_attempts: str = setting(
        "10",
        "Attempts for a message that the mail server refuses for now, over about 8 minutes, before it becomes a dead "
        "letter",
        pattern=r"[1-9]\d?",
        form="a whole number, 1 to 99",
    )
    mail_outage_hours: str = setting(
        "24",
        "Hours that messages wait for an unavailable mail server before they become dead letters",
        pattern=r"\d{1,4}(\.\d+)?",
        form="a number of hours, 0 to 9999",
    )
