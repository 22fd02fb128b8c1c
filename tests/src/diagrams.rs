//! The diagrams of the pages can be drawn: what has broken them before does not come back. Mermaid itself
//! is JavaScript, and not here.

use crate::deployment::read;
use crate::shell_blocks::{blocks, pages};

/// The diagrams of a page, each with the line that it begins on.
fn diagrams(page: &str) -> Vec<(usize, String)> {
    let blocks = blocks(&read(page));
    let diagrams = blocks.into_iter().filter(|block| block.language == "mermaid");
    diagrams.map(|block| (block.line, block.text)).collect()
}

#[test]
fn no_diagram_has_what_mermaid_stumbles_over() {
    let mut count = 0;
    for page in pages() {
        for (line, text) in diagrams(&page) {
            count += 1;
            let kind =
                text.lines().next().unwrap_or_default().split(' ').next().unwrap_or_default();
            let place = format!("{page}, line {line}");
            match kind {
                // There, it ends a statement in the middle of a message.
                "sequenceDiagram" => assert!(!text.contains(';'), "{place}: a semicolon"),
                "erDiagram" => {
                    for column in text.lines().filter(|line| line.starts_with("        ")) {
                        assert!(is_attribute(column.trim()), "{place}: {column}");
                    }
                }
                "flowchart" => {}
                other => panic!("{place}: {other:?} was never seen drawn"),
            }
        }
    }
    assert!(count > 5, "{count} diagrams were found");
}

/// A type, a name, perhaps what key it is, and perhaps a comment.
fn is_attribute(column: &str) -> bool {
    let (words, comment) = column.split_once('"').unwrap_or((column, "\""));
    let words: Vec<_> = words.split_whitespace().collect();
    let are_words = |words: &[&str]| words.iter().all(|word| !["PK", "FK", "UK"].contains(word));
    let is_fine = match &words[..] {
        [kind, name] => are_words(&[kind, name]),
        [kind, name, key] => are_words(&[kind, name]) && !are_words(&[key]),
        _ => false,
    };
    is_fine && comment.ends_with('"')
}

#[test]
fn an_attribute_has_a_type_before_its_name() {
    for fine in ["int a", "int a PK", "int a \"b c\"", "int a UK \"b\""] {
        assert!(is_attribute(fine), "{fine}");
    }
    for bad in ["a", "a PK", "position UK \"gapless\"", "int a b", "int a \"b"] {
        assert!(!is_attribute(bad), "{bad}");
    }
}
