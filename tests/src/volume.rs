//! A file system of a test's own: small enough to fill, and made to be lost.

#![allow(clippy::disallowed_methods, reason = "makes the files that the broker is to lose")]

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::ioctl::{Setter, ioctl, opcode};
use tempfile::TempDir;

/// A mounted file system. Dropping it unmounts it, whatever is in use.
#[derive(Debug)]
pub struct Volume {
    directory: TempDir,
    mounted: PathBuf,
}

impl Volume {
    /// ext4 in a file, by way of a loop device.
    ///
    /// # Errors
    /// Why this machine does not do it, such as a user who may not mount.
    pub fn ext4(bytes: u64) -> Result<Self, String> {
        let volume = Self::unmounted();
        let image = volume.image();
        let file = File::create(&image).map_err(|error| format!("make an image: {error}"))?;
        file.set_len(bytes).map_err(|error| format!("make an image: {error}"))?;
        // Nothing is reserved for root, who would not notice that the rest is full.
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))?;
        volume.mount()?;
        Ok(volume)
    }

    /// Memory.
    ///
    /// # Errors
    /// As [`Volume::ext4`].
    pub fn tmpfs(bytes: u64) -> Result<Self, String> {
        let volume = Self::unmounted();
        let size = format!("size={bytes}");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&volume.mounted))?;
        Ok(volume)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Forgets all that an ext4 volume has not yet written to its device, as a machine does that
    /// loses its power. From then on it answers with errors.
    ///
    /// # Errors
    /// Why this machine does not do it.
    pub fn cut_power(&self) -> Result<(), String> {
        let root = File::open(&self.mounted).map_err(|error| format!("open a volume: {error}"))?;
        #[expect(unsafe_code, reason = "no safe call does it")]
        // SAFETY: the operation reads one u32, to which `Setter` passes a pointer.
        let done = unsafe { ioctl(root, Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH)) };
        done.map_err(|error| format!("shut ext4 down: {error}"))
    }

    /// Gives an ext4 volume its power back. Nobody may use it meanwhile.
    ///
    /// # Errors
    /// It is in use, or broken.
    pub fn mount_again(&self) -> Result<(), String> {
        run(Command::new("umount").arg(&self.mounted))?;
        self.mount()
    }

    fn unmounted() -> Self {
        let directory = TempDir::new().expect("make a temporary directory");
        let mounted = directory.path().join("volume");
        std::fs::create_dir(&mounted).expect("make a directory");
        Self { directory, mounted }
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(&self.mounted))
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Not mounted, if making it failed.
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.mounted));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("run {name}: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{name}: {}", told.trim())) }
}

/// `_IOR('X', 125, __u32)`.
const EXT4_IOC_SHUTDOWN: rustix::ioctl::Opcode = opcode::read::<u32>(b'X', 125);
/// Not even the journal is written out.
const NO_LOG_FLUSH: u32 = 2;
