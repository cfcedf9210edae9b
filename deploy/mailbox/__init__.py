"""The embedded mailbox of development and tests: takes mail over SMTP, shows it on a page, delivers none of it."""
