"""Send the message in FILE: smtp_send.py HOST PORT FILE FROM TO [USER PASSWORD].

With a user, STARTTLS and AUTH come first. Every step has to succeed.
"""
import smtplib
import ssl
import sys

host, port, file, sender, to = sys.argv[1:6]
with open(file, "rb") as f:
    message = f.read()
with smtplib.SMTP(host, int(port), timeout=30) as smtp:
    smtp.ehlo()
    if len(sys.argv) > 6:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        smtp.starttls(context=context)
        smtp.login(sys.argv[6], sys.argv[7])
    refused = smtp.sendmail(sender, [to], message, mail_options=["BODY=8BITMIME"])
    assert not refused, refused
