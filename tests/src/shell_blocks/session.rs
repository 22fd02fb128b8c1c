//! A page typed into a shell, from top to bottom.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use wallex_testkit::{Backend, TempDatabase, wallex_binary};

use super::compare::is_what_came;
use super::page::Step;

const PRELUDE: &str = include_str!("prelude.sh");
/// What the pages say, and where a server really listens in a run.
const ADDRESS: &str = "127.0.0.1:8080";

/// A folder, a port, and what stands on the page for what is otherwise here.
pub(super) struct Session {
    folder: TempDir,
    port: u16,
    instead: BTreeMap<String, String>,
    meanwhile: Vec<(&'static str, &'static str)>,
    databases: Vec<TempDatabase>,
}

impl Session {
    pub(super) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("wallex-page-").tempdir();
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("its number").port();
        let instead = BTreeMap::from([(ADDRESS.to_owned(), format!("127.0.0.1:{port}"))]);
        Self {
            folder: folder.expect("a folder"),
            port,
            instead,
            meanwhile: Vec::new(),
            databases: Vec::new(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the page says `said`, this is typed.
    pub(super) fn instead_of(mut self, said: &str, typed: &str) -> Self {
        self.instead.insert(said.to_owned(), typed.to_owned());
        self
    }

    /// Before the first step that begins so, `happens` does, in the same shell: what the page takes for
    /// granted, and no reader types.
    pub(super) fn meanwhile(mut self, begins: &'static str, happens: &'static str) -> Self {
        self.meanwhile.push((begins, happens));
        self
    }

    /// Where the page says `url`, there is a fresh database.
    pub(super) fn database(mut self, url: &str, database: TempDatabase) -> Self {
        assert_eq!(database.backend(), Backend::Postgres, "a page makes its own files");
        self.instead.insert(url.to_owned(), database.url().to_owned());
        self.databases.push(database);
        self
    }

    /// Types `steps`; what is wrong with each that did not do what the page says.
    pub(super) fn run(&self, steps: &[Step]) -> Vec<String> {
        let mut script = format!("{PRELUDE}\n");
        let mut meanwhile = self.meanwhile.clone();
        for (index, step) in steps.iter().enumerate() {
            meanwhile.retain(|(begins, happens)| {
                let is_now = step.command.starts_with(begins);
                if is_now {
                    writeln!(script, "{{\n{happens}\n}} >>meanwhile 2>&1 </dev/null")
                        .expect("a text");
                }
                !is_now
            });
            let command = self.typed(step.command.trim_end());
            writeln!(script, "rm -f failed\n{{\n{command}\n}} >out-{index} 2>&1 </dev/null")
                .expect("a text");
            writeln!(script, "[ ! -e failed ] || mv failed failed-{index}\necho >done-{index}")
                .expect("a text");
        }
        assert!(meanwhile.is_empty(), "no step begins so: {meanwhile:?}");
        let file = self.folder().join("script");
        std::fs::write(&file, script).expect("a script");
        let binary = wallex_binary();
        let mut shell = Command::new("bash");
        shell.args(["script", &self.port.to_string()]).arg(binary.parent().expect("a folder"));
        shell.current_dir(self.folder()).stdin(Stdio::null());
        let output = shell.output().expect("bash");
        let happened = std::fs::read_to_string(self.folder().join("meanwhile")).unwrap_or_default();
        let said = happened + &String::from_utf8_lossy(&output.stderr);
        steps.iter().enumerate().filter_map(|(n, step)| self.wrong(n, step, &said)).collect()
    }

    /// What is wrong with what the step `index` did.
    fn wrong(&self, index: usize, step: &Step, said: &str) -> Option<String> {
        let read =
            |name: &str| std::fs::read_to_string(self.folder().join(format!("{name}-{index}")));
        let came = self.shown(&read("out").unwrap_or_default());
        let complain = |what: &str| {
            Some(format!(
                "line {}: {what}\n$ {}\n--- came\n{came}\n{said}",
                step.line, step.command
            ))
        };
        if read("done").is_err() {
            return complain("the shell did not come to its end");
        }
        match (&step.shown, read("failed")) {
            (Some(shown), _) if is_what_came(shown, &came) => None,
            (Some(shown), _) => complain(&format!("the page shows\n{shown}\n---")),
            (None, Ok(failed)) => complain(&format!("this failed: {failed}")),
            (None, Err(_)) => None,
        }
    }

    fn typed(&self, text: &str) -> String {
        self.instead.iter().fold(text.to_owned(), |text, (said, typed)| text.replace(said, typed))
    }

    /// What came, in the words of the page.
    fn shown(&self, text: &str) -> String {
        self.instead.iter().fold(text.to_owned(), |text, (said, typed)| text.replace(typed, said))
    }
}

/// Whether a program is there.
pub(super) fn is_there(program: &str) -> bool {
    let command = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    command.is_ok_and(|output| output.status.success())
}
