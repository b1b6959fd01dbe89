//! Arguments of what prints the manual and completions.

use clap::Args;

/// Print a completion script
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  git dist completions bash > ~/.local/share/bash-completion/completions/git-dist
  git dist completions zsh > ~/.zfunc/_git-dist
  git dist completions fish > ~/.config/fish/completions/git-dist.fish")]
pub(in crate::cli) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(in crate::cli) shell: clap_complete::Shell,
}

/// Print the manual, or install it where `git help dist` finds it
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Man {
    /// Install the pages beside the program, in share/man next to its bin folder, or else in ~/.local/share/man
    #[arg(long)]
    pub(in crate::cli) install: bool,
}
