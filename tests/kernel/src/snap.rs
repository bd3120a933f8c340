//! A picture of all regions of all living processes: what their pages are and which frames they share.

use std::{collections::HashSet, fmt::Write as _};

use crate::{
    driver::{Driver, Result},
    pages::Page,
};

impl Driver {
    /// Adds it to the text.
    pub(crate) fn snap(&mut self, label: &str) -> Result<()> {
        let (mut mapped, mut anon, mut files) = (0, HashSet::new(), HashSet::new());
        for at in 0..self.processes.len() {
            if !self.processes[at].alive {
                continue;
            }
            for region in &self.processes[at].regions {
                let pages = self.pages(at, region)?;
                let [mut none, mut zero, mut small, mut ksm, mut file, mut swap, mut guard] =
                    [0; 7];
                let mut private = Vec::new();
                for page in pages {
                    match page {
                        Page::None => none += 1,
                        Page::Zero => zero += 1,
                        Page::Anon(frame) => {
                            small += 1;
                            private.push(frame);
                        }
                        Page::Ksm(frame) => {
                            ksm += 1;
                            private.push(frame);
                        }
                        Page::File(frame) => {
                            file += 1;
                            files.insert(frame);
                        }
                        Page::Swap(_) => swap += 1,
                        Page::Guard => guard += 1,
                    }
                }
                let counts = self.frames.counts(&private)?;
                let shared = counts.iter().filter(|count| **count > 1).count();
                let excl = private.len() - shared;
                mapped += private.len();
                anon.extend(private);
                let _ = writeln!(
                    self.text,
                    "snap {label} proc={} region={} none={none} zero={zero} anon={small} ksm={ksm} \
                     file={file} swap={swap} guard={guard} excl={excl} shared={shared}",
                    self.processes[at].name, region.name
                );
            }
        }
        let _ = writeln!(
            self.text,
            "snap {label} total mapped_anon={mapped} anon_frames={} file_frames={}",
            anon.len(),
            files.len()
        );
        Ok(())
    }
}
