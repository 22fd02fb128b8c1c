//! What a page shows beside what came.

/// What stands on a page for anything: "and so on".
const ANYTHING: &str = "…";
/// How lines of progress begin.
const PROGRESS: [&str; 2] = ["{\"operation\":", "{\"kind\":\"verify\",\"progress\":"];

/// Whether `shown` is what came, but for ids, times and secrets, and for what `…` stands for. Of the
/// head of an HTTP answer a page may leave lines out.
pub(super) fn is_what_came(shown: &str, came: &str) -> bool {
    let (shown, came) = (masked(shown.trim_end()), masked(came.trim_end()));
    if !shown.starts_with("HTTP/") {
        return fits(&shown, &came);
    }
    let (shown_head, shown_body) = shown.split_once("\n\n").unwrap_or((&shown, ""));
    let (head, body) = came.split_once("\n\n").unwrap_or((&came, ""));
    shown_head.lines().all(|line| head.lines().any(|other| fits(line, other)))
        && fits(shown_body, body)
}

/// Whether `text` is `pattern`, with anything for each `…`.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once(ANYTHING) else { return pattern == text };
    let (middle, last) = rest.rsplit_once(ANYTHING).unwrap_or(("", rest));
    let Some(mut text) = text.strip_prefix(first).and_then(|text| text.strip_suffix(last)) else {
        return false;
    };
    middle.split(ANYTHING).all(|piece| match text.split_once(piece) {
        Some((_, behind)) => {
            text = behind;
            true
        }
        None => false,
    })
}

/// Text as it is compared: one and the same word for all ids, times and secrets; columns as wide as
/// they may be; and without the progress for machines, which a terminal shows as a line that goes away.
fn masked(text: &str) -> String {
    let lines = text.lines().filter(|line| !PROGRESS.iter().any(|begins| line.starts_with(begins)));
    let lines = lines.map(|line| with_one_word(&in_columns(line)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Between columns, two spaces.
fn in_columns(line: &str) -> String {
    let cells = line.trim().split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    cells.collect::<Vec<_>>().join("  ")
}

fn with_one_word(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c);
    let mut masked = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        masked += mask(word).unwrap_or(word);
        let between = behind.find(is_word).unwrap_or(behind.len());
        masked += &behind[..between];
        rest = &behind[between..];
    }
    masked
}

fn mask(word: &str) -> Option<&'static str> {
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lengths: Vec<_> = word.split('-').map(str::len).collect();
    if lengths == [8, 4, 4, 4, 12] && word.split('-').all(is_hex) {
        return Some("ID");
    }
    if word.len() == 64 && is_hex(word) {
        return Some("HASH");
    }
    if word.starts_with("wlx_") {
        return Some("SECRET");
    }
    let is_time = word.len() >= 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T';
    is_time.then_some("TIME")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAME: &str = "HTTP/1.1 201 Created\r\netag: \"1\"\r\ndate: now\r\n\r\n\
        {\"id\":\"550e8400-e29b-41d4-a716-446655440000\",\"at\":\"2026-11-22T20:52:57.371Z\",\"b\":1}";

    #[test]
    fn ids_times_and_unnamed_headers_make_no_difference() {
        let shown = "HTTP/1.1 201 Created\netag: \"1\"\n\n\
            {\"id\":\"01a20508-91b8-7569-b58a-d600b3b78e15\",\"at\":\"2020-01-01T00:00:00.000Z\",\"b\":1}\n";
        assert!(is_what_came(shown, CAME));
        for (right, wrong) in [("\"b\":1", "\"b\":2"), ("201", "200"), ("\"1\"\n", "\"2\"\n")] {
            assert!(!is_what_came(&shown.replace(right, wrong), CAME), "{wrong}");
        }
        assert!(!is_what_came("HTTP/1.1 201 Created", CAME), "the body is no header");
    }

    #[test]
    fn dots_stand_for_anything_and_nothing_else_does() {
        for (pattern, text) in [("a … c", "a b c"), ("…c", "abc"), ("a…b…", "a1b2"), ("a", "a")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a … c", "a b d"), ("a", "ab"), ("a…b…c", "ac"), ("ab…bc", "abc")]
        {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
