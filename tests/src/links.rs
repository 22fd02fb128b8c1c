//! Every link between our pages leads somewhere, to the heading that it names; and what pages call a
//! file of the repository is one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::deployment::{read, root};
use crate::shell_blocks::{blocks, pages};

/// The anchor that a heading gets, as GitHub and mdBook make it.
pub(crate) fn anchor(heading: &str) -> String {
    // A link in a heading is known by its text.
    let shown = links(heading)
        .iter()
        .fold(heading.to_owned(), |text, link| text.replace(&format!("]({link})"), ""));
    let kept = shown.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The anchors of all headings of `page`.
pub(crate) fn anchors(page: &str) -> BTreeSet<String> {
    let text = without_blocks(page);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

/// `page` without what stands in fences.
fn without_blocks(page: &str) -> String {
    let fenced: BTreeSet<_> = blocks(page)
        .iter()
        .flat_map(|block| block.line..block.line + block.text.lines().count())
        .collect();
    let lines = page.lines().enumerate().filter(|(index, _)| !fenced.contains(&(index + 1)));
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

/// Where the links of `text` lead to.
fn links(text: &str) -> Vec<&str> {
    let ends = text.split("](").skip(1);
    ends.filter_map(|rest| rest.split_once(')').map(|(target, _)| target)).collect()
}

#[test]
fn every_link_leads_to_a_page_and_its_heading() {
    let mut count = 0;
    for page in pages() {
        let text = without_blocks(&read(&page));
        for link in links(&text).into_iter().filter(|link| !link.contains(':')) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = target(&page, path);
            assert!(target.exists(), "{page}: {link} leads nowhere");
            if !heading.is_empty() {
                let there = anchors(&std::fs::read_to_string(&target).expect("a page"));
                assert!(there.contains(heading), "{page}: {link} is none of {there:?}");
            }
            count += 1;
        }
    }
    assert!(count > 100, "{count} links were found");
}

fn target(page: &str, path: &str) -> PathBuf {
    let page = root().join(page);
    if path.is_empty() { page } else { page.parent().expect("a folder").join(path) }
}

/// Where files of ours are: whatever begins so in backticks is one, but for what names many.
const FOLDERS: [&str; 6] = ["crates/", "tests/", "migrations/", "deploy/", "docs/", "fuzz/"];

#[test]
fn every_file_that_a_page_names_is_there() {
    for page in pages() {
        for name in read(&page).split('`').skip(1).step_by(2) {
            let is_path = FOLDERS.iter().any(|folder| name.starts_with(folder))
                && !name.contains("NAME")
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            assert!(!is_path || root().join(name).exists(), "{page}: there is no {name}");
        }
    }
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = read("docs/SUMMARY.md");
    let listed: BTreeSet<_> =
        links(&summary).into_iter().map(|link| format!("docs/{link}")).collect();
    for page in pages() {
        let is_one = page.starts_with("docs/") && page != "docs/SUMMARY.md";
        assert!(!is_one || listed.contains(&page), "{page} is not in docs/SUMMARY.md");
    }
    assert!(Path::new(&root().join("book.toml")).exists());
}

#[test]
fn anchors_are_those_of_the_pages() {
    assert_eq!(anchor("`/readyz` is 503"), "readyz-is-503");
    assert_eq!(anchor("Was it done?"), "was-it-done");
    assert_eq!(anchor("Retrying: `Idempotency-Key`"), "retrying-idempotency-key");
    let page = "# A\n```sh\n# no heading, [no](link)\n```\n## B c\n";
    assert_eq!(anchors(page), BTreeSet::from(["a".to_owned(), "b-c".to_owned()]));
    assert!(links(&without_blocks(page)).is_empty());
}
