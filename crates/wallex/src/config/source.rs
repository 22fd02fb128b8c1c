//! Where the values come from: defaults, then a TOML file, then the environment. Everything that is
//! wrong is reported at once, each in a sentence that names it and says what would be right.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::key::{Key, Kind};
use super::{Config, KEYS};

/// The file that is read when none is named, if the working directory has it.
pub(crate) const FILE: &str = "wallex.toml";
/// Names the file; read by the command line.
pub(crate) const FILE_VARIABLE: &str = "WALLEX_CONFIG";
/// What Wallex itself reads from the environment begins so, a few well-known names apart.
const PREFIX: &str = "WALLEX_";
/// What tests tell each other; never a setting.
const TEST_PREFIX: &str = "WALLEX_TEST_";
/// Names that are less alike than this are not worth a "did you mean".
const SIMILARITY_MIN: f64 = 0.8;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Built in.
    Default,
    /// The TOML file.
    File,
    /// An environment variable.
    Environment,
}

impl Source {
    /// As `wallex config` shows it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
        }
    }
}

/// A configuration and where it comes from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// One for each of [`KEYS`], in their order.
    pub(crate) sources: Vec<Source>,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
}

/// Everything that is wrong with a configuration.
#[derive(Debug)]
pub(crate) struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [problem] => f.write_str(problem),
            problems => {
                write!(f, "{} settings are wrong:", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}

impl std::error::Error for Problems {}

/// The configuration of this process; `named` is the file that the command line names.
///
/// # Errors
/// When the file can't be read or anything in it or in the environment is wrong.
pub(crate) fn from_process(named: Option<&Path>) -> Result<Loaded, Problems> {
    // An empty `WALLEX_CONFIG` counts as not set, like every other variable.
    let named = named.filter(|path| !path.as_os_str().is_empty());
    let path = named.unwrap_or(Path::new(FILE));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => None,
        Err(error) => {
            let problem =
                format!("the configuration file {} can't be read: {error}", path.display());
            return Err(Problems(vec![problem]));
        }
    };
    load(text.as_deref().map(|text| (path, text)), std::env::vars_os())
}

/// The configuration that `file` (its path and content) and `environment` make.
pub(crate) fn load(
    file: Option<(&Path, &str)>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Problems> {
    let mut loading = Loading {
        config: Config::default(),
        sources: vec![Source::Default; KEYS.len()],
        problems: Vec::new(),
    };
    if let Some((path, text)) = file {
        loading.read_file(path, text);
    }
    loading.read_environment(environment);
    loading.check_together();
    if loading.problems.is_empty() {
        let file = file.map(|(path, _)| path.to_owned());
        Ok(Loaded { config: loading.config, sources: loading.sources, file })
    } else {
        Err(Problems(loading.problems))
    }
}

struct Loading {
    config: Config,
    sources: Vec<Source>,
    problems: Vec<String>,
}

impl Loading {
    fn read_file(&mut self, path: &Path, text: &str) {
        let path = path.display();
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
                let message = error.message().replace('\n', ", ");
                self.problems.push(format!("{path}, line {line}, is not TOML: {message}"));
                return;
            }
        };
        for (name, value) in &table {
            let Some(index) = KEYS.iter().position(|key| key.file == name) else {
                let hint = did_you_mean(name, KEYS.iter().map(|key| key.file));
                self.problems.push(format!("{path}: there is no setting {name}{hint}"));
                continue;
            };
            match from_toml(&KEYS[index], value) {
                Ok(text) => {
                    self.set(index, &text, Source::File, &format_args!("{path}: {name}"));
                }
                Err(expected) => self.problems.push(format!("{path}: {name} {expected}")),
            }
        }
    }

    fn read_environment(&mut self, environment: impl IntoIterator<Item = (OsString, OsString)>) {
        let mut environment: Vec<_> = environment.into_iter().collect();
        // The order of the environment is arbitrary; that of the report should not be.
        environment.sort();
        for (name, value) in environment {
            let Some(name) = name.to_str() else { continue };
            let value = value.to_str();
            if value == Some("") {
                continue;
            }
            match (KEYS.iter().position(|key| key.env == name), value) {
                (Some(index), Some(text)) => {
                    self.set(index, text, Source::Environment, &format_args!("{name}"));
                }
                (Some(_), None) => self.problems.push(format!("{name} must be UTF-8")),
                (None, _) if is_foreign(name, value.unwrap_or_default()) => {}
                (None, _) => {
                    let names = KEYS.iter().map(|key| key.env).chain([FILE_VARIABLE]);
                    let hint = did_you_mean(name, names);
                    self.problems.push(format!("there is no setting {name}{hint}"));
                }
            }
        }
    }

    fn set(&mut self, index: usize, text: &str, source: Source, name: &fmt::Arguments<'_>) {
        let key = &KEYS[index];
        match parse(key, &mut self.config, text) {
            Ok(()) => self.sources[index] = source,
            Err(expected) if key.secret => self.problems.push(format!("{name} {expected}")),
            Err(expected) => self.problems.push(format!("{name} {expected}, but is {text:?}")),
        }
    }

    /// What no setting can know alone.
    fn check_together(&mut self) {
        if self.config.api.command_timeout <= self.config.lane.commit_deadline {
            self.problems.push(format!(
                "WALLEX_COMMAND_TIMEOUT_MS ({}) must be greater than WALLEX_COMMIT_DEADLINE_MS ({}), \
                 or clients give up before the lane can answer",
                self.config.api.command_timeout.as_millis(),
                self.config.lane.commit_deadline.as_millis(),
            ));
        }
        if let Err(problem) = self.config.jwt.settings() {
            self.problems.push(problem);
        }
    }
}

fn parse(key: &Key, config: &mut Config, text: &str) -> Result<(), Cow<'static, str>> {
    match key.kind {
        Kind::Text { set, .. } | Kind::MaybeText { set, .. } => set(config, text),
        Kind::Whole { min, max, unit, set, .. } => {
            set(config, whole(text, min, max, unit)?);
            Ok(())
        }
        Kind::Time { unit, min, max, set, .. } => {
            set(config, unit.times(whole(text, min, max, unit.as_str())?));
            Ok(())
        }
        Kind::Switch { set, .. } => {
            set(config, text.parse().map_err(|_| "must be true or false")?);
            Ok(())
        }
    }
}

fn whole(text: &str, min: u32, max: u32, unit: &str) -> Result<u32, Cow<'static, str>> {
    let number = text.parse().ok().filter(|number| (min..=max).contains(number));
    let expected = || format!("must be a whole number of {unit} from {min} to {max}").into();
    number.ok_or_else(expected)
}

/// A value of the file as the text that the environment would hold. Types are held strictly: a port
/// in quotes is a mistake that should not wait for the next reader.
fn from_toml(key: &Key, value: &toml::Value) -> Result<String, &'static str> {
    match (&key.kind, value) {
        (Kind::Text { .. } | Kind::MaybeText { .. }, toml::Value::String(text)) => Ok(text.clone()),
        (Kind::Whole { .. } | Kind::Time { .. }, toml::Value::Integer(number)) => {
            Ok(number.to_string())
        }
        (Kind::Switch { .. }, toml::Value::Boolean(on)) => Ok(on.to_string()),
        (Kind::Text { .. } | Kind::MaybeText { .. }, _) => Err("must be a text in quotes"),
        (Kind::Whole { .. } | Kind::Time { .. }, _) => Err("must be a whole number without quotes"),
        (Kind::Switch { .. }, _) => Err("must be true or false without quotes"),
    }
}

/// Whether a variable that is no setting may stand in the environment all the same.
fn is_foreign(name: &str, value: &str) -> bool {
    !name.starts_with(PREFIX)
        || name == FILE_VARIABLE
        || name.starts_with(TEST_PREFIX)
        || wallex_ports::planted::is_variable(name)
        || is_service_link(name, value)
}

/// Kubernetes gives every container variables for the services of its namespace: for one called
/// `wallex`, `WALLEX_SERVICE_HOST`, `WALLEX_PORT=tcp://…`, `WALLEX_PORT_8080_TCP_ADDR`, …
fn is_service_link(name: &str, value: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.contains("_PORT_") && ["_TCP", "_UDP", "_SCTP"].iter().any(|p| name.contains(p))
        || name.ends_with("_PORT") && value.contains("://")
}

fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    // The common beginning would make every name alike.
    let own = |name: &'a str| name.strip_prefix(PREFIX).unwrap_or(name);
    let wrong = name.strip_prefix(PREFIX).unwrap_or(name);
    known
        .map(|known| (strsim::jaro_winkler(wrong, own(known)), known))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map_or_else(
            || ": `wallex config` lists them all".to_owned(),
            |(_, known)| format!("; did you mean {known}?"),
        )
}
