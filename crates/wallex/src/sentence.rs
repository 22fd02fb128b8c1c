//! An error as one sentence.

/// `error` and its causes, each once: some libraries repeat a cause in their own message.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::chain;

    #[test]
    fn causes_follow_and_are_said_once() {
        let error = anyhow!("connection refused")
            .context("the server said: connection refused")
            .context("can't start");
        assert_eq!(chain(error.as_ref()), "can't start: the server said: connection refused");
    }
}
