//! What the process takes: the metrics that every Prometheus client library shows by these names. They
//! come from `/proc`; where there is none they are left out.

use std::fmt::Write as _;
use std::fs;

use rustix::process::{Resource, getrlimit};

/// How often a second Linux counts what a process takes of a processor (`USER_HZ`): 100 to every
/// program, whatever the kernel's own clock is.
const TICKS_PER_SECOND: f64 = 100.0;
/// Where in `/proc/self/stat`, counted behind the name: utime, stime and starttime (proc(5): fields 14, 15
/// and 22, and the first behind the name is 3).
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const START_TICKS: usize = 19;

/// Adds what is known of the process to `text`.
pub(super) fn write(text: &mut String) {
    if let Some(stat) = Stat::read() {
        add(text, CPU, "counter", stat.cpu_seconds);
        if let Some(booted) = boot_time_seconds() {
            add(text, START, "gauge", booted + stat.started_seconds);
        }
    }
    if let Some(bytes) = resident_bytes() {
        add(text, MEMORY, "gauge", bytes);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        // One of them is that of the folder.
        add(text, FILES, "gauge", files.count().saturating_sub(1) as f64);
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let files_max = getrlimit(Resource::Nofile).current.map_or(f64::INFINITY, |max| max as f64);
    add(text, FILES_MAX, "gauge", files_max);
}

const CPU: (&str, &str) =
    ("process_cpu_seconds_total", "Processor time that the process took, user and system.");
const START: (&str, &str) = ("process_start_time_seconds", "Unix time at which the process began.");
const MEMORY: (&str, &str) = ("process_resident_memory_bytes", "Memory that the process holds.");
const FILES: (&str, &str) = ("process_open_fds", "Files and sockets that the process has open.");
const FILES_MAX: (&str, &str) =
    ("process_max_fds", "Files and sockets that the process may have open.");

/// Adds a metric without labels, as Prometheus reads it.
pub(super) fn add(text: &mut String, (name, help): (&str, &str), kind: &str, value: f64) {
    let value = if value.is_infinite() { "+Inf".to_owned() } else { value.to_string() };
    // Writing into a `String` can't fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
}

struct Stat {
    cpu_seconds: f64,
    /// Since the machine was booted.
    started_seconds: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The name may hold anything, brackets and spaces among it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let seconds =
            |field: usize| Some(fields.get(field)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        Some(Self {
            cpu_seconds: seconds(USER_TICKS)? + seconds(SYSTEM_TICKS)?,
            started_seconds: seconds(START_TICKS)?,
        })
    }
}

fn boot_time_seconds() -> Option<f64> {
    value_of(&fs::read_to_string("/proc/stat").ok()?, "btime ")
}

fn resident_bytes() -> Option<f64> {
    let kib = value_of(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")?;
    Some(kib * 1024.0)
}

/// The number behind `name`, at the beginning of a line.
fn value_of(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 17 18 4200 20";
        let stat = Stat::parse(stat).expect("fields");
        assert!((stat.cpu_seconds - 3.0).abs() < 1e-9, "{}", stat.cpu_seconds);
        assert!((stat.started_seconds - 42.0).abs() < 1e-9, "{}", stat.started_seconds);
        assert_eq!(value_of("a 1\nVmRSS:\t  20 kB\n", "VmRSS:"), Some(20.0));
        assert!(Stat::parse("nonsense").is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_told_with_plausible_figures() {
        let mut text = String::new();
        write(&mut text);
        let value = |name: &str| {
            let value = value_of(&text, &format!("{name} "));
            value.unwrap_or_else(|| panic!("{name} is not in\n{text}"))
        };
        assert!(value("process_resident_memory_bytes") > 1_000_000.0);
        assert!(value("process_open_fds") >= 3.0);
        assert!(value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_cpu_seconds_total") >= 0.0);
        let now = std::time::UNIX_EPOCH.elapsed().expect("a time").as_secs_f64();
        let age = now - value("process_start_time_seconds");
        assert!((-5.0..86_400.0).contains(&age), "{age}");
    }
}
