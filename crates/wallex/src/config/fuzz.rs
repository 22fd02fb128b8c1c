//! The fuzz targets of the configuration.

use std::ffi::OsString;
use std::path::Path;

use super::key::Value;
use super::source::{Loaded, Problems, load};
use super::{KEYS, json, table};

/// What no setting holds but a password.
const PASSWORD: &str = "Pa55w0rd";

/// A TOML file: what is accepted can be written down and read again; what is not, is told in
/// sentences, each about something that the file has, and without the password in it.
///
/// # Panics
/// When that does not hold.
pub(crate) fn config_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let file = |text: &str| load(Some((Path::new("wallex.toml"), text)), []);
    check(&file(text));
    if let Ok(loaded) = file(text) {
        let written: String = set_in(&loaded)
            .map(|(index, value)| format!("{} = {value}\n", KEYS[index].file))
            .collect();
        let again = file(&written).expect("what was accepted is accepted");
        assert_eq!(values(&again), values(&loaded), "{written}");
    }
}

/// Environment variables, `NAME=VALUE` on each line: the same promises.
///
/// # Panics
/// When they do not hold.
pub(crate) fn environment(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let variables: Vec<(OsString, OsString)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, value)| !name.is_empty() && !name.contains('\0') && !value.contains('\0'))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let loaded = load(None, variables.clone());
    check(&loaded);
    // The order of an environment says nothing, but that of two values for one name.
    let mut names: Vec<_> = variables.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() == variables.len() {
        let turned = load(None, variables.into_iter().rev());
        match (loaded, turned) {
            (Ok(a), Ok(b)) => assert_eq!(values(&a), values(&b)),
            (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
            _ => panic!("the order decides"),
        }
    }
}

fn check(loaded: &Result<Loaded, Problems>) {
    let told = match loaded {
        Ok(loaded) => {
            assert_eq!(loaded.sources.len(), KEYS.len());
            let lanes = loaded.config.lane.commit_deadline;
            assert!(loaded.config.api.command_timeout > lanes);
            format!("{}{}{:?}", table(loaded), json(loaded), loaded.config)
        }
        Err(problems) => {
            let told = problems.to_string();
            assert!(!told.trim().is_empty());
            told
        }
    };
    assert!(!told.contains(PASSWORD), "{told}");
}

/// The settings that were set, with their values as TOML; secrets apart, which can't be read back.
fn set_in(loaded: &Loaded) -> impl Iterator<Item = (usize, String)> {
    let values = KEYS.iter().map(|key| key.value(&loaded.config)).enumerate();
    values.filter(|(index, _)| !KEYS[*index].secret).filter_map(|(index, value)| match value {
        _ if loaded.sources[index].name() == "default" => None,
        Value::Unset => None,
        Value::Text(text) => Some((index, toml::Value::String(text).to_string())),
        value => Some((index, value.to_string())),
    })
}

/// Every value that is not secret.
fn values(loaded: &Loaded) -> Vec<(&'static str, Value)> {
    let keys = KEYS.iter().filter(|key| !key.secret);
    keys.map(|key| (key.env, key.value(&loaded.config))).collect()
}

#[cfg(test)]
mod corpus {
    wallex_fuzz_corpus::replay_corpus!(config_file, environment);
}
