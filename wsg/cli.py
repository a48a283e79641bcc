"""The operator's command `wsg`: a NETCONF client with the gateway's words. `docs/wsg.md` describes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from wsg.cli_change import clear, commit, diff, validate
from wsg.cli_common import EXIT_OK, EXIT_REFUSED, EXIT_USAGE, Failure, Settings
from wsg.cli_show import show
from wsg.netconf_client import Target
from wsg.version import version

DEFAULT_STATE_DIR = Path("/var/lib/openwsg")
ADMIN_KEY = "admin_key"
HOST_KEYS = "ssh_host_*_key.pub"
LOCAL_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


def _lower(token: str) -> str:
    """Keywords are case-insensitive (CTX-24): commands, options, choices; not values."""
    return token.lower()


@click.group(
    context_settings={"token_normalize_func": _lower, "help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("--host", envvar="WSG_HOST", default="127.0.0.1", show_default=True, help="Where the gateway is.")
@click.option(
    "--port", envvar="WSG_PORT", type=click.IntRange(1, 65535), default=830, show_default=True, help="Its NETCONF port."
)
@click.option("--user", envvar="WSG_USER", default="admin", show_default=True, help="The NETCONF user.")
@click.option(
    "--identity",
    envvar="WSG_IDENTITY",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A private key. By default admin_key of the state directory where it can be read, else your own keys.",
)
@click.option(
    "--password-file",
    envvar="WSG_PASSWORD_FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the password on its first line.",
)
@click.option(
    "--known-hosts",
    envvar="WSG_KNOWN_HOSTS",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Host keys to trust, as OpenSSH keeps them. By default those of the state directory, else your own file.",
)
@click.option("--insecure", envvar="WSG_INSECURE", is_flag=True, help="Trust any host key.")
@click.option(
    "--state-dir",
    envvar="WSG_STATE_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_STATE_DIR,
    show_default=True,
    help="Of a wsgd on this machine: its key pair for admin and its host keys are there.",
)
@click.version_option(version(), prog_name="wsg")
@click.pass_context
def cli(
    ctx: click.Context,
    host: str,
    port: int,
    user: str,
    identity: Path | None,
    password_file: Path | None,
    known_hosts: Path | None,
    insecure: bool,
    state_dir: Path,
) -> None:
    """Operate an OpenWSG gateway over NETCONF.

    Without options it is the gateway on this machine, as the user admin with the key that wsgd made at its first
    start. Options can be given by the environment: WSG_HOST, WSG_PORT, WSG_USER, WSG_IDENTITY, WSG_PASSWORD_FILE,
    WSG_KNOWN_HOSTS, WSG_INSECURE, WSG_STATE_DIR.

    Exit code: 0 done, 1 the gateway refused, 2 wrong usage, 3 the gateway cannot be reached.
    """
    if identity is None and password_file is None and _readable(state_dir / ADMIN_KEY):
        identity = state_dir / ADMIN_KEY
    own = tuple(sorted(state_dir.glob(HOST_KEYS))) if host in LOCAL_HOSTS and known_hosts is None else ()
    ctx.obj = Settings(
        Target(
            host=host,
            port=port,
            user=user,
            identity=identity,
            password=_password(password_file),
            known_hosts=known_hosts,
            host_keys=own,
            insecure=insecure,
        )
    )


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK)


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    lines = path.read_text().splitlines()
    if not lines or not lines[0]:
        raise click.UsageError(f"{path} has no password on its first line")
    return lines[0]


for command in (show, commit, diff, validate, clear):
    cli.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Run the command with these arguments; its exit code. Prints to stdout and stderr."""
    try:
        cli.main(args=list(arguments), prog_name="wsg", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return EXIT_USAGE
    except Failure as error:
        error.show()
        return error.code
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("wsg: aborted", err=True)
        return EXIT_REFUSED
    except BrokenPipeError:
        # `wsg show ... | head`: not an error. What is left in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_OK


def main() -> None:
    """The entry point of the command."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
