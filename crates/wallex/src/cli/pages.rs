//! What is made of the command line's definition: completions and man pages.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;

const NAME: &str = "wallex";

/// The script that lets `shell` complete our arguments.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    script
}

/// wallex(1), as `man` reads it.
///
/// # Errors
/// When clap writes no text.
pub(crate) fn man() -> anyhow::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(Cli::command()).render(&mut page).context("the page can't be written")?;
    let page = String::from_utf8(page).context("the page is no text")?;
    // What stands below the help has columns, which filling lines would tear apart.
    let page = page
        .replace("\n.SH EXTRA\n", "\n.SH EXAMPLES AND ENVIRONMENT\n.nf\n")
        .replace("\n.SH VERSION\n", "\n.fi\n.SH VERSION\n");
    Ok(page.into_bytes())
}

/// Writes wallex(1) and the page of each subcommand into `folder`, which is made when missing.
///
/// # Errors
/// When a file can't be written.
pub(crate) fn write_man(folder: &Path) -> anyhow::Result<()> {
    let page = man()?;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .and_then(|()| std::fs::write(folder.join("wallex.1"), page))
        .with_context(|| format!("the man pages can't be written to {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of our subcommands that are shown.
    fn subcommands() -> Vec<String> {
        let command = Cli::command();
        let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
        shown.map(|command| command.get_name().to_owned()).collect()
    }

    #[test]
    fn every_shell_completes_every_subcommand() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(completions(shell)).expect("text");
            for name in subcommands() {
                assert!(script.contains(&name), "{shell} does not know {name}");
            }
        }
    }

    #[test]
    fn man_page_has_what_help_has() {
        let page = String::from_utf8(man().expect("a page")).expect("text");
        assert!(page.contains(".TH wallex 1"), "{page}");
        for part in ["SYNOPSIS", "SUBCOMMANDS", "EXAMPLES", "DATABASE_URL", "Exit codes"] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        for name in subcommands() {
            let written = name.replace('-', "\\-");
            assert!(page.contains(&format!("wallex\\-{written}(1)")), "{name} is not in {page}");
        }
    }
}
