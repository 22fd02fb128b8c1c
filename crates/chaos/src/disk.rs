//! A disk of our own: a small file system in a file, mounted by loop device, which can be full, lose
//! its power, or be slow. Needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;
use wallex_testkit::Server;

const MIB: u64 = 1024 * 1024;
/// Every user may make a folder in it, as in `/tmp`: PostgreSQL runs as another user than root.
const OPEN: u32 = 0o1777;
/// Ends a file system as the power does: what it has not written to its device is gone
/// (`EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`, as xfstests use it).
const SHUT_DOWN: &str = r#"open(my $f, "<", $ARGV[0]) or die "$!"; my $flags = pack("L", 2);
    ioctl($f, 0x8004587D, $flags) or die "$!";"#;
/// The control group of version 1 that limits what a process may write.
const THROTTLE: &str = "/sys/fs/cgroup/blkio";

/// A mounted file system; unmounted and removed when dropped.
pub(crate) struct Disk {
    folder: TempDir,
    ballast: PathBuf,
}

impl Disk {
    /// Of so many MiB; the error says what the machine can't do.
    pub(crate) fn new(mib: u64) -> Result<Self> {
        ensure!(rustix::process::geteuid().is_root(), "only root may mount a disk");
        let folder = tempfile::Builder::new().prefix("wallex-chaos-disk-").tempdir()?;
        let image = fs::File::create(folder.path().join("image"))?;
        image.set_len(mib * MIB)?;
        let ballast = folder.path().join("mount/ballast");
        let disk = Self { folder, ballast };
        run("mkfs.ext4", &["-q", "-F", &text(&disk.image())])?;
        fs::create_dir(disk.path())?;
        disk.mount(&disk.image())?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("mount")
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mount(&self, image: &Path) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        run("mount", &["-o", "loop", &text(image), &text(&self.path())])?;
        // The folder above is ours alone by default.
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755))?;
        fs::set_permissions(self.path(), fs::Permissions::from_mode(OPEN))?;
        Ok(())
    }

    /// Fills it up, but for so many KiB.
    pub(crate) fn fill(&self, but_kib: u64) -> Result<()> {
        let output = Command::new("df").args(["--output=avail", "-k"]).arg(self.path()).output()?;
        let free = String::from_utf8_lossy(&output.stdout);
        let free: u64 = free.lines().nth(1).unwrap_or_default().trim().parse().context("df")?;
        let length = format!("{}KiB", free.saturating_sub(but_kib));
        run("fallocate", &["-l", &length, &text(&self.ballast)])
    }

    /// Takes away what [`Disk::fill`] put there.
    pub(crate) fn free(&self) -> Result<()> {
        fs::remove_file(&self.ballast).with_context(|| text(&self.ballast))
    }

    /// Waits until all that was written so far is on the device.
    pub(crate) fn sync(&self) -> Result<()> {
        run("sync", &["--file-system", &text(&self.path())])
    }

    /// Cuts the power. Whoever has files open there gets errors from now on.
    pub(crate) fn cut_power(&self) -> Result<()> {
        run("perl", &["-e", SHUT_DOWN, &text(&self.path())])
    }

    /// The power is back: mounts what had reached the device, on the same path. What still has the dead
    /// file system open keeps that, and it changes nothing any more.
    pub(crate) fn power_up(&self, cuts: u64) -> Result<()> {
        let before = self.image();
        let image = self.folder.path().join(format!("image-{cuts}"));
        run("umount", &["--lazy", &text(&self.path())])?;
        fs::copy(&before, &image).context("the image can't be copied")?;
        fs::rename(&image, &before)?;
        self.mount(&before)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The folder can't be removed while something is mounted in it.
        run("umount", &["--lazy", &text(&self.path())]).ok();
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("{program} can't be started"))?;
    if !output.status.success() {
        bail!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// A limit to what processes may write to the disk of a folder; lifted when dropped.
pub(crate) struct Throttle(PathBuf);

impl Throttle {
    /// At most `writes` a second to the disk that `folder` is on, by those that are [`add`](Self::add)ed.
    pub(crate) fn new(folder: &Path, writes: u32) -> Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        static GROUPS: AtomicU32 = AtomicU32::new(0);
        let name = (std::process::id(), GROUPS.fetch_add(1, Ordering::SeqCst));
        let group = Path::new(THROTTLE).join(format!("wallex-chaos-{}-{}", name.0, name.1));
        fs::create_dir(&group).with_context(|| format!("{THROTTLE} can't be used"))?;
        let throttle = Self(group);
        let device = fs::metadata(folder)?.dev();
        let limit = format!("{}:{} {writes}", rustix::fs::major(device), rustix::fs::minor(device));
        let file = throttle.0.join("blkio.throttle.write_iops_device");
        fs::write(&file, limit).with_context(|| format!("{} refuses", text(&file)))?;
        Ok(throttle)
    }

    pub(crate) fn add(&self, process: u32) -> Result<()> {
        fs::write(self.0.join("cgroup.procs"), process.to_string())
            .context("a process can't be slowed")
    }

    /// All of a server's children, and itself.
    pub(crate) fn add_family(&self, parent: u32) -> Result<()> {
        for process in family(parent)? {
            // One that has just ended is no trouble.
            self.add(process).ok();
        }
        Ok(())
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        let processes = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        for process in processes.lines() {
            fs::write(Path::new(THROTTLE).join("cgroup.procs"), process).ok();
        }
        fs::remove_dir(&self.0).ok();
    }
}

/// A process and its children.
pub(crate) fn family(parent: u32) -> Result<Vec<u32>> {
    let mut family = vec![parent];
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // `pid (name) state ppid …`; the name may hold anything.
        let behind = stat.rsplit(')').next().unwrap_or_default();
        if behind.split_whitespace().nth(1) == Some(&parent.to_string()) {
            family.push(process);
        }
    }
    Ok(family)
}

/// Whether a process stands still, with all of its threads: one that was in the middle of a system call, such
/// as the one that locks a file, ends that first.
pub(crate) fn is_frozen(process: &Server) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", process.process_id()));
    threads.is_ok_and(|mut threads| {
        threads.all(|thread| thread.is_ok_and(|thread| stands_still(&thread.path())))
    })
}

fn stands_still(thread: &Path) -> bool {
    let stat = fs::read_to_string(thread.join("stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
}
