//! The shell blocks of a Markdown page.

/// What a reader types, and what the page says comes back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Where it stands, from 1.
    pub(super) line: usize,
    pub(super) command: String,
    /// What is shown; nothing is claimed of a block of `sh`.
    pub(super) shown: Option<String>,
}

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// What stands behind the fence.
    pub(crate) language: String,
    /// The line of its first line, from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Names of shells that a page might use instead of `sh` and `console`, and would then not be run.
const OTHER_NAMES: [&str; 6] = ["bash", "shell", "zsh", "shell-session", "sh-session", "terminal"];

/// All fenced blocks of `page`.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(Block, usize)> = None;
    for (index, line) in page.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                let language = language.trim().to_owned();
                let block = Block { language, line: index + 2, text: String::new() };
                open = Some((block, indent));
            }
            (Some(_), Some(_)) => blocks.extend(open.take().map(|(block, _)| block)),
            (Some((block, indent)), None) => {
                // Within a list, what is indented with the fence is not the block's.
                block.text += line.get(*indent..).unwrap_or(line.trim_start());
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    blocks
}

/// The blocks of `page` that are typed into a shell.
pub(super) fn shell_blocks(page: &str) -> Vec<Block> {
    let blocks = blocks(page);
    for block in &blocks {
        let name = block.language.split([' ', ',']).next().unwrap_or_default();
        assert!(!OTHER_NAMES.contains(&name), "line {}: call it sh or console", block.line);
    }
    let is_typed = |block: &Block| ["sh", "console"].contains(&block.language.as_str());
    blocks.into_iter().filter(is_typed).collect()
}

/// A block of `sh` is one step; one of `console` has a step for each prompt.
pub(super) fn steps(block: &Block) -> Vec<Step> {
    if block.language == "sh" {
        return vec![Step { line: block.line, command: block.text.clone(), shown: None }];
    }
    let mut steps = Vec::<Step>::new();
    let mut goes_on = false;
    for (index, line) in block.text.lines().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            let command = command.to_owned();
            let shown = Some(String::new());
            steps.push(Step { line: block.line + index, command, shown });
        } else {
            let step = steps.last_mut();
            let step = step.unwrap_or_else(|| panic!("line {}: no prompt", block.line));
            let text = if goes_on { &mut step.command } else { step.shown.as_mut().expect("some") };
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
        }
        goes_on = (goes_on || line.starts_with("$ ")) && line.ends_with('\\');
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_continuations_and_answers_are_told_apart() {
        let page = "Do:\n\n```console\n$ curl \\\n    -i\nHTTP/1.1 200\n\n{}\n$ true\n```\n\
                    \n1. Or\n   ```sh\n   a\n     b\n   ```\n\n```json\n{}\n```\n";
        let blocks = shell_blocks(page);
        assert_eq!(blocks.len(), 2);
        let step = |line, command: &str, shown: Option<&str>| Step {
            line,
            command: command.to_owned(),
            shown: shown.map(ToOwned::to_owned),
        };
        let first = step(4, "curl \\\n    -i", Some("HTTP/1.1 200\n\n{}"));
        assert_eq!(steps(&blocks[0]), [first, step(9, "true", Some(""))]);
        assert_eq!(steps(&blocks[1]), [step(14, "a\n  b\n", None)]);
    }

    #[test]
    #[should_panic(expected = "call it sh or console")]
    fn no_block_escapes_under_another_name() {
        shell_blocks("```bash\ntrue\n```\n");
    }
}
