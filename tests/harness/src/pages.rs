//! Which pages each name of a closed store leads to: found by walking its trees, page by page, with
//! none of the sums that the store keeps.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cowslip::{
    kinds::{self, EngineKinds},
    meta::{BranchRecord, SnapshotRecord},
};
use cowslip_pager::{Child, Config, Kinds, Pager, Pointer, View, page::Header};

use crate::session::disk_of;

/// The pages below the catalog of each branch and snapshot of an image whose log is empty.
///
/// # Panics
///
/// If the image is not sound.
pub fn pages_of_names(image: &[u8]) -> BTreeMap<String, BTreeSet<u64>> {
    let (pager, replay) =
        Pager::open(disk_of(image), Config::default(), Arc::new(EngineKinds)).expect("an image");
    pager
        .recover(replay, |_, _| false, |_, _| Err(cowslip_pager::Error::ReadOnly))
        .expect("an empty log");
    let pager = Arc::new(pager);
    let reader = pager.begin_read();
    let mut names = BTreeMap::new();
    let mut nodes = vec![reader.version().root];
    while let Some(node) = nodes.pop() {
        let page = reader.view().pin(&node).expect("a node of names");
        if node.level > 0 {
            children(&page, &mut |child| {
                if let Child::Node(pointer) = child {
                    nodes.push(pointer);
                }
            });
            continue;
        }
        for (key, value) in kinds::entries(&page) {
            let catalog = match key[0] {
                b'b' => BranchRecord::decode(&value, node.page).expect("a branch").catalog,
                b's' => SnapshotRecord::decode(&value, node.page).expect("a snapshot").catalog,
                _ => continue,
            };
            let name = String::from_utf8(key[1..].to_vec()).expect("a name");
            names.insert(name, pages_below(reader.view(), catalog));
        }
    }
    names
}

fn children(page: &[u8], visit: &mut dyn FnMut(Child)) {
    let mut each = |child| {
        visit(child);
        Ok(())
    };
    EngineKinds.children(page, &mut each).expect("a sound node");
}

fn pages_below(view: View<'_>, root: Pointer) -> BTreeSet<u64> {
    let mut pages = BTreeSet::new();
    let mut nodes = vec![root];
    let mut raw = Vec::new();
    while let Some(node) = nodes.pop() {
        if node.is_none() {
            continue;
        }
        assert!(pages.insert(node.page.0), "page {} twice below one name", node.page);
        let page = view.pin(&node).expect("a node");
        assert_eq!(Header::read(&page).pointer, node);
        children(&page, &mut |child| match child {
            Child::Node(pointer) => nodes.push(pointer),
            Child::Extent(extent) => pages.extend(extent.pages().map(|page| page.0)),
            Child::Raw(root) => raw.push(root),
        });
        // Within a machine pages are shared: each is met as often as it is named.
        while let Some(at) = raw.pop() {
            let mut bytes = vec![0; view.page_size()];
            view.read_raw(at.page, &mut bytes).expect("a raw page");
            if pages.insert(at.page.0) {
                let mut each = |_, child| {
                    raw.push(child);
                    Ok(())
                };
                at.children(&bytes, &mut each).expect("a sound raw page");
            }
        }
    }
    pages
}
