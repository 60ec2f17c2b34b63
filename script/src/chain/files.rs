use eyre::{Result, WrapErr};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

/// Writes a file so that at every moment there is the old one, or the new one, whole: it is written
/// beside its place, flushed to the disk, and renamed. Makes the folder where there is none.
pub fn write_atomically(path: &Path, contents: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut beside = path.as_os_str().to_owned();
        // Always the same name: what a killed run left is overwritten.
        beside.push(".tmp");
        let mut file = File::create(&beside)?;
        file.write_all(contents.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // The new name is the folder's, and has to reach the disk too.
        File::open(folder)?.sync_all()
    };
    write().wrap_err_with(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_whole_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/record.json");
        write_atomically(&path, "one").unwrap();
        write_atomically(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = write_atomically(&file.join("record.json"), "").unwrap_err();
        assert!(format!("{error:#}").contains("record.json"), "{error:#}");
    }
}
