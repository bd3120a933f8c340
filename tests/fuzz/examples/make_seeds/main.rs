//! Makes what is committed in `images/` and `seeds/`, anew: real stores, and inputs for each target that lead to all
//! of its parts. Ids of stores and snapshots are random, so each time it is something else; inputs that a
//! fuzzer found for the old images are of little use with the new ones.

#![forbid(unsafe_code)]

mod inputs;
mod stores;

use std::{fs, path::Path};

use cowslip_fuzz::{
    image::{Seed, pack},
    stream::unseal,
};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let images = [
        ("closed", stores::closed()),
        ("tail", stores::tail()),
        ("wide", stores::wide()),
        ("deep", stores::deep()),
    ];
    for (name, bytes) in &images {
        let packed = pack(bytes);
        println!("image {name}: {} bytes, packed {}", bytes.len(), packed.len());
        write(&root.join("images"), &format!("{name}.image"), &packed);
    }
    let streams = stores::streams(&images[0].1);
    let seeds = images.map(|(name, bytes)| Seed::of(name, bytes));

    let folder = |name: &str| {
        let folder = root.join("seeds").join(name);
        let _ = fs::remove_dir_all(&folder);
        folder
    };
    let script = folder("script");
    for (name, input) in inputs::scripts(&seeds) {
        write(&script, &name, &input);
    }
    let log = folder("log");
    for (name, input) in inputs::logs() {
        write(&log, &name, &input);
    }
    let receive = folder("receive");
    for (name, receiver, stream) in &streams {
        write(&receive, name, &unseal(*receiver, 0, stream));
    }
    for (flags, name) in [(2, "without-checksums"), (4, "partial"), (24, "renamed"), (32, "digest")]
    {
        write(&receive, name, &unseal(0, flags, &streams[3].2));
    }
    let (_, receiver, stream) = &streams[3];
    write(&receive, "as-it-stands", &[&[*receiver, 1][..], stream].concat());
    let traces = root.join("../../docs/traces");
    let trace = folder("trace");
    for (name, input) in inputs::traces(&traces) {
        write(&trace, &name, &input);
    }
    let undo = folder("undo");
    for (name, input) in inputs::undos() {
        write(&undo, name, &input);
    }
    let dump = folder("dump");
    for (name, input) in inputs::dumps() {
        write(&dump, name, &input);
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    fs::create_dir_all(folder).expect("a folder for seeds");
    fs::write(folder.join(name), bytes).expect("a seed");
}
