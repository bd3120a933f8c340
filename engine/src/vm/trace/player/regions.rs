//! Regions for areas that no `mmap` of the trace made: those of programs, and of recorded runs.
//!
//! Regions that are there stay as they are, so that pages keep their numbers; names are unique.

use std::collections::HashSet;

use super::{Pid, Player, Region};

impl Player {
    /// Parts of areas that no region of the process covers become regions.
    pub(super) fn adopt_areas(&mut self, pid: Pid) {
        let regions = self.regions.entry(pid).or_default();
        let mut taken: HashSet<String> = regions.iter().map(|region| region.name.clone()).collect();
        let mut covered: Vec<_> =
            regions.iter().map(|region| region.start..region.start + region.pages).collect();
        covered.sort_by_key(|pages| pages.start);
        let mut covered = covered.into_iter().peekable();
        for area in self.machine.areas(pid).iter() {
            let mut from = area.pages.start;
            while from < area.pages.end {
                // Regions that end before what is looked at are of no use any more.
                while covered.next_if(|pages| pages.end <= from).is_some() {}
                let to = match covered.peek() {
                    Some(pages) if pages.start <= from => {
                        from = pages.end;
                        continue;
                    }
                    Some(pages) => pages.start.min(area.pages.end),
                    None => area.pages.end,
                };
                let name = match &area.name {
                    Some(name) => name.to_string(),
                    None => format!("m_{from:x}"),
                };
                let name = unique(name, &mut taken);
                regions.push(Region { name, start: from, pages: to - from });
                from = to;
            }
        }
    }
}

/// The name, or the name with the first number behind it that makes it a new one.
fn unique(name: String, taken: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    let new = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
    let name = new.unwrap_or(name);
    taken.insert(name.clone());
    name
}
