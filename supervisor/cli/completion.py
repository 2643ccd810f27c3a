"""``extsys completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from supervisor.cli.client import say
from supervisor.cli.help import WholeCommand


@click.command(cls=WholeCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what has a shell complete the commands and options of extsys.

    \b
    bash:  eval "$(extsys completion bash)" in ~/.bashrc
    zsh:   eval "$(extsys completion zsh)" in ~/.zshrc
    fish:  extsys completion fish | source in ~/.config/fish/config.fish
    """
    completes = get_completion_class(shell)
    assert completes is not None
    made = completes(context.find_root().command, {}, "extsys", "_EXTSYS_COMPLETE")
    # Not its source(), which runs a shell to see how old that is.
    say(made.source_template % made.source_vars())
