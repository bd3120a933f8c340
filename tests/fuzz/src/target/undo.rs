//! Undo files that anybody made. What is refused has changed nothing; what is taken puts back exactly the blocks that it
//! has, and leaves the length that it names; and the file of the repair itself gives the wreck, byte for byte.

use arbitrary::{Arbitrary, Unstructured};
use cowslip_fsck::undo_from;
use cowslip_pager::{
    page::u64_at,
    storage::{Storage, simulated::Image},
};

use crate::{
    store,
    undo::{ENTRY, HEADER, Undo},
};

/// Applies the undo file that an input describes.
pub fn run(input: &[u8]) {
    let Ok(Undo { of, bytes }) = Undo::arbitrary(&mut Unstructured::new(input)) else { return };
    let disk = store::disk(of.image.clone());
    let Ok(undone) = undo_from(&*disk, &bytes[..]) else {
        assert!(disk.freeze() == of.image, "an undo that was refused has written");
        return;
    };
    let entries = bytes[HEADER..].chunks_exact(ENTRY);
    assert_eq!(undone.blocks, entries.len() as u64);
    assert_eq!(undone.length, disk.len().expect("a length"));
    let mut expected: Image = of.image.clone();
    for entry in entries {
        expected.write(&entry[16..], u64_at(entry, 0) * 4096);
    }
    expected.set_len(undone.length);
    let found = disk.freeze();
    assert!(found == expected, "something else was put back");
    if bytes == of.undo {
        assert!(found == of.wreck, "an undo brings back something else");
    }
    // Whatever that is, it can be judged.
    let _ = store::check(&found);
}
