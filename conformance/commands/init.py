"""Writes a commented profile."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from conformance.commands.terminal import say, wrapped

_TEMPLATE: Final = """\
# The profile of an Afnemer, for `berichtenbox certify --profile afnemer.toml`.
# What stands behind # is a default, or an example of what you may add.

[afnemer]
name = "Gemeente Voorbeeld"
# 20 digits, as in the Subject.serialNumber of your PKIoverheid certificate.
# 00000099 begins the OINs for tests.
oin = "00000099000000001000"
# The BerichtTypes of your connection, as in the portal: at most 8 characters.
bericht_types = ["BELAST", "PASPOORT"]
# What you use. What is not used is not applicable.
services = ["aanleveren", "abonnementen", "validatie"]
# The OINs of the organisations for which you send, if you are an intermediair.
# intermediair_for = ["00000099000000003000"]
# Where your Digikoppeling gateway receives, on the face ebms. A cpa has it.
# gateway = "https://127.0.0.1:9443/ebms"

# How the kit asks your Afnemer to act, in your test environment.
# docs/test-control.md has the seven verbs; docs/shim.py is an example.
#   http     your application, or a shim beside it, offers them below a URL
#   command  a shell command gets the verb, and JSON on stdin
#   python   a class has a method a verb
#   manual   a person at the terminal does what the kit asks
#   none     the kit asks nothing
[driver]
kind = "http"
url = "http://127.0.0.1:9001"
# command = "./shim.sh"              # with kind = "command"
# python = "package.module:Class"    # with kind = "python"
# restart = "systemctl restart afnemer"   # how the kit may restart it

# With kind = "command" you may also give a command a verb.
# [driver.commands]
# gezondheid = "./ctl health"
# berichten = "./ctl send"
# bericht = "./ctl status"

# Where your Afnemer reaches the simulated Berichtenbox.
#   adapter  your application speaks the REST interface of ebms-core
#   ebms     your Digikoppeling gateway speaks ebMS2, and results are sent to it
[berichtenbox]
face = "adapter"
host = "127.0.0.1"
port = 8800
# The CPA of your connection: its id, or the file itself. Without a file one is
# made for the run. Files are found from the directory of this profile.
# cpa_id = "MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000"
# cpa = "cpa.xml"    # from Logius, or from `berichtenbox cpa new`
# Two-way TLS on every face, with the certificates of `berichtenbox pki new`.
# tls = "pki/"
# The test citizens it knows: bsn,actief,oin,berichttype,wil a row. Without a
# file they are the reserved test BSNs, from which the cases choose.
# register = "burgers.csv"

# How long the kit waits for your Afnemer to act, in seconds.
# [timing]
# reaction_s = 10

# What nobody can see from outside, and you declare: an id and how you meet it.
# [declared]
# VERW-036 = "The log holds no BSN; checked on 1 October by J. Jansen."
#
# This is all that can be declared:
{declarable}

# A failure that you know of. It breaks the run after its day, and when it no
# longer fails.
# [[known_failures]]
# id = "AANL-035"
# reason = "The supplier delivers in January."
# owner = "J. Jansen"
# until = 2027-01-31
"""


def template() -> str:
    """Return the text of the profile, with what an Afnemer can declare by the catalogue of today."""
    return _TEMPLATE.replace("{declarable}", "\n".join(_declarable()))


def _declarable() -> Iterator[str]:
    from conformance.catalogue import Binds, DecidedBy, Lang, catalogue

    for item in catalogue().values():
        if item.decided_by is DecidedBy.DECLARED and item.binds is not Binds.LOGIUS:
            yield wrapped(item.declare(Lang.EN), f"#   {item.id:<12}", "#" + " " * 15)


@click.command("init")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", default=Path("afnemer.toml"), show_default=True, help="Where it goes.")
@click.option("--force", is_flag=True, help="Replace a file that stands there.")
def command(out: Path, *, force: bool) -> int:
    """Write a commented profile, to be filled in.

    Then: `berichtenbox certify --profile afnemer.toml`.
    """
    try:
        with out.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(template())
    except FileExistsError:
        text = f"{out}: there is a file already.\n  Hint: choose another --out, or replace it with --force."
        raise click.UsageError(text, click.get_current_context()) from None
    except OSError as error:
        text = f"{out}: cannot be written: {error.strerror}.\n  Hint: choose another --out."
        raise click.UsageError(text, click.get_current_context()) from None
    say(f"Wrote {out}. Fill in name, OIN, BerichtTypes and services, and choose a driver.")
    say(f"Then: berichtenbox certify --profile {out}")
    return 0
