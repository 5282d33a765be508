"""Has getmail itself read files, and says what it made of them.

Usage: getmail.py GETMAIL DIRECTORY. Standard input is a JSON list of the texts,
standard output one of the answers.
"""
import configparser
import importlib.machinery
import importlib.util
import io
import json
import os
import sys

out = sys.stdout
sys.stdout = sys.stderr = io.StringIO()
sys.dont_write_bytecode = True
program, directory = sys.argv[1:]
loader = importlib.machinery.SourceFileLoader("getmail_program", program)
getmail = importlib.util.module_from_spec(importlib.util.spec_from_loader("getmail_program", loader))
loader.exec_module(getmail)

from getmailcore import logging as getmail_logging  # noqa: E402
from getmailcore import _retrieverbases, baseclasses, destinations, filters  # noqa: E402

# What files there are does not matter here, and nobody is connected to.
conf_string = baseclasses.ConfString.validate


def path(self, configuration):
    value = conf_string(self, configuration)
    return value if value is None else getmail.expand_user_vars(value)


def maildir(self, configuration):
    value = path(self, configuration)
    if value is not None and not value.endswith("/"):
        raise getmail.getmailConfigurationError("maildir must end with /")
    return value


def mbox(self, configuration):
    value = path(self, configuration)
    if value is not None and value.endswith("/"):
        raise getmail.getmailConfigurationError("mbox is a directory")
    return value


baseclasses.ConfFile.validate = baseclasses.ConfDirectory.validate = path
baseclasses.ConfMaildirPath.validate = maildir
baseclasses.ConfMboxPath.validate = mbox
getmail.logfile = lambda name: None
for cls in destinations.MDA_external, destinations.MDA_lmtp, filters.Filter_external, filters.Filter_classifier:
    cls.initialize = lambda self: None
for cls in _retrieverbases.POP3RetrieverBase, _retrieverbases.IMAPRetrieverBase:
    cls.initialize = lambda self, options: None

answer = {}


def plain(conf):
    return {name: value for name, value in conf.items() if name != "configparser"}


def destination(d):
    answer = {"type": type(d).__name__, "conf": plain(d.conf)}
    if hasattr(d, "targets"):
        answer["default"] = destination(d.default)
        answer["targets"] = [{"pattern": pattern.pattern, "to": destination(to)} for pattern, to in d.targets]
    elif hasattr(d, "_destinations"):
        answer["all"] = [destination(to) for to in d._destinations]
    return answer


def go(configs, idle):
    if not configs:
        raise getmail.getmailConfigurationError("no retriever")
    (_, retriever, found_filters, to, options), = configs
    retriever.initialize(options)
    answer["options"] = {name: value for name, value in options.items() if name != "logfile"}
    answer["retriever"] = {
        "type": type(retriever).__name__, "conf": plain(retriever.conf), "with": retriever.received_with,
        "field": getattr(retriever, "envrecipname", ""), "index": getattr(retriever, "envrecipnum", -1) + 1,
    }
    answer["destination"] = destination(to)
    answer["filters"] = len(found_filters)
    return True


def read_file(self, f, source=None):
    raw_read_file(self, f, source)
    answer["sections"] = {name: dict(section) for name, section in self._sections.items()}


raw_read_file = configparser.RawConfigParser.read_file
configparser.RawConfigParser.read_file = read_file
getmail.go = go
answers = []
getmail_logging.Logger.trace = lambda *message: None
getmail.open = lambda name, mode: io.StringIO(text, newline=None)
open(os.path.join(directory, "rc"), "w").close()
for text in json.load(sys.stdin):
    answer = {}
    sys.argv = ["getmail", "--getmaildir=" + directory, "--rcfile=rc"]
    sys.stderr.truncate(0)
    sys.stderr.seek(0)
    try:
        getmail.main()
    except SystemExit:
        answer["refused"] = sys.stderr.getvalue()[-400:] or "no reason"
    answers.append(answer)
json.dump(answers, out)
