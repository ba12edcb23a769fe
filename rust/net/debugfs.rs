// SPDX-License-Identifier: GPL-2.0

//! Text files for debugging, which `root` reads.
//!
//! The kernel crate's files do not know the module they are in, which can be unloaded while one is
//! open; these hold it.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

use core::{
    ffi::{
        c_int,
        c_void, //
    },
    ptr::NonNull, //
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    error::from_err_ptr,
    fmt,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::Arc, //
};

#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/debugfs.rs"]
mod test;

/// Writes the text of a file. Process context, may sleep; called anew for each reader, and again if
/// the text turns out to be longer than the buffer.
pub type Show<T> = fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result;

/// A file: what it shows, and how.
///
/// # Invariants
///
/// `show_entry` is [`show_entry::<T>`].
#[repr(C)]
struct Entry<T> {
    // First: the helper that opens a file calls the function it finds there.
    show_entry: unsafe extern "C" fn(*mut netbind::seq_file, *mut c_void) -> c_int,
    show: Show<T>,
    data: Arc<T>,
}

impl<T> fmt::Display for Entry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.show)(&self.data, f)
    }
}

/// # Safety
///
/// `seq` is a seq file of a file of [`Open<T>`], which is being read.
unsafe extern "C" fn show_entry<T>(seq: *mut netbind::seq_file, _v: *mut c_void) -> c_int {
    // SAFETY: `seq` is that of a file of `Open<T>`, by the safety requirements of this function, so
    // what is private to it is an `Entry<T>`. That is freed when the file has been removed, which
    // waits for readers.
    let (entry, seq) = unsafe {
        (
            &*(*seq).private.cast::<Entry<T>>(),
            SeqFile::from_raw(seq.cast()),
        )
    };
    seq_print!(seq, "{entry}");
    0
}

/// A directory with files.
///
/// # Invariants
///
/// `dentry` is a directory in debugfs; what its files refer to is in `entries`.
struct Open<T> {
    dentry: NonNull<netbind::dentry>,
    entries: KVec<KBox<Entry<T>>>,
}

// SAFETY: A directory may be removed by any thread, and `T` may be shared and sent.
unsafe impl<T: Send + Sync> Send for Open<T> {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl<T: Send + Sync> Sync for Open<T> {}

impl<T: Send + Sync> Open<T> {
    fn new(name: &CStr, data: &Arc<T>, files: &[(&CStr, Show<T>)]) -> Result<Self> {
        // SAFETY: The name is copied.
        let dentry = from_err_ptr(unsafe {
            netbind::debugfs_create_dir(name.as_char_ptr(), core::ptr::null_mut())
        })?;
        // INVARIANT: just made; there are no files. From here on `Drop` removes it.
        let mut this = Self {
            dentry: NonNull::new(dentry).ok_or(ENOMEM)?,
            entries: KVec::with_capacity(files.len(), GFP_KERNEL)?,
        };
        for (name, show) in files {
            // INVARIANT: the function is that for `T`.
            let mut entry = KBox::new(
                Entry {
                    show_entry: show_entry::<T>,
                    show: *show,
                    data: data.clone(),
                },
                GFP_KERNEL,
            )?;
            let raw = core::ptr::from_mut(&mut *entry).cast();
            // INVARIANT: the entry is kept until the directory has been removed.
            this.entries.push(entry, GFP_KERNEL)?;
            // SAFETY: The name is copied; the entry begins with its function, and does not move.
            from_err_ptr(unsafe {
                netbind::debugfs_create_text(name.as_char_ptr(), this.dentry.as_ptr(), raw)
            })?;
        }
        Ok(this)
    }
}

impl<T> Drop for Open<T> {
    fn drop(&mut self) {
        // Before the entries: it waits for those who read.
        // SAFETY: The directory is there, by the type invariants.
        unsafe { netbind::debugfs_remove(self.dentry.as_ptr()) };
    }
}

/// A directory in debugfs with text files about a `T`.
///
/// It is removed when this is dropped or the device is unbound, whichever is first; the `T` is not
/// referred to any more then. While a file is open the module stays loaded.
///
/// # Examples
///
/// ```
/// use kernel::{device::{Bound, Device}, fmt, prelude::*, sync::Arc};
/// use net::debugfs::Directory;
///
/// struct Port { rounds: u32 }
///
/// fn show_state(port: &Port, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///     writeln!(f, "{} rounds", port.rounds)
/// }
///
/// fn show(dev: &Device<Bound>, port: &Arc<Port>) -> Result<Directory<Port>> {
///     Directory::new(dev, c"mydrv", port, &[(c"state", show_state)])
/// }
/// ```
pub struct Directory<T: Send + Sync + 'static>(#[allow(dead_code)] Devres<Open<T>>);

impl<T: Send + Sync + 'static> Directory<T> {
    /// Makes a directory in debugfs, and in it `files`: names, and what writes their text. Process
    /// context.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is one of this name, `ENODEV` in kernels without debugfs, `ENOMEM`.
    pub fn new(
        dev: &Device<Bound>,
        name: &CStr,
        data: &Arc<T>,
        files: &[(&CStr, Show<T>)],
    ) -> Result<Self> {
        let open = Open::new(name, data, files)?;
        Ok(Self(Devres::new(dev, Ok::<_, Error>(open))?))
    }
}
