//! `wallex config`: the effective values and where each came from, secrets hidden.

use serde_json::json;

use super::{KEYS, Loaded};

/// For people: a column for the variable, one for the value, one for its source.
pub(crate) fn table(loaded: &Loaded) -> String {
    let file = loaded.file.as_ref().map_or_else(
        || "No configuration file was read.".to_owned(),
        |path| format!("Configuration file: {}", path.display()),
    );
    let rows: Vec<[String; 3]> = KEYS
        .iter()
        .zip(&loaded.sources)
        .map(|(key, source)| {
            [key.env.to_owned(), key.value(&loaded.config).to_string(), source.name().to_owned()]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let (names, values) = (width(0).unwrap_or_default(), width(1).unwrap_or_default());
    let heading = ["SETTING", "VALUE", "FROM"].map(str::to_owned);
    let mut text = format!("{file}\n\n");
    for [name, value, source] in std::iter::once(&heading).chain(&rows) {
        text.push_str(&format!("{name:names$}  {value:values$}  {source}\n"));
    }
    text
}

/// For machines: the same, as one JSON object.
pub(crate) fn json(loaded: &Loaded) -> serde_json::Value {
    let settings: Vec<_> = KEYS
        .iter()
        .zip(&loaded.sources)
        .map(|(key, source)| {
            json!({
                "variable": key.env,
                "fileKey": key.file,
                "value": key.value(&loaded.config),
                "source": source.name(),
            })
        })
        .collect();
    json!({ "file": loaded.file, "settings": settings })
}
