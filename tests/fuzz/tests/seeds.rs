//! Every committed seed, through its target, as a fuzzer would give it: with any compiler, in a moment.

use std::{collections::HashSet, fs, path::Path};

use cowslip_fuzz::{image, store, target::TARGETS};

fn run(name: &str) {
    let (_, folder, run) = TARGETS.iter().find(|target| target.0 == name).expect("a target");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(folder);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 4, "there are seeds");
    for path in paths {
        let input = fs::read(&path).unwrap();
        let ran = std::panic::catch_unwind(|| run(&input));
        assert!(ran.is_ok(), "{name}: {}", path.display());
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*

        #[test]
        fn every_target_has_its_seeds_tried() {
            let names = [$(stringify!($name)),*];
            assert!(TARGETS.iter().map(|target| target.0).eq(names));
        }
    };
}

targets! { check dump log open receive repair salvage trace undo }

#[test]
fn the_images_are_sound_stores_with_something_of_everything_in_them() {
    for seed in image::SEEDS.iter() {
        assert!(store::is_sound(&seed.image), "{}", seed.name);
        assert!(!seed.contents().tables.is_empty());
        for role in [image::Role::Superblock, image::Role::Map, image::Role::Node] {
            assert!(seed.pages.iter().any(|&page| seed.roles[page as usize] == role));
        }
    }
    assert!(!image::SEEDS[image::CLOSED].contents().machines.is_empty());
    let last = image::SEEDS[1].contents().rows().collect::<HashSet<_>>().len();
    assert!(image::SEEDS[1].rows().len() > last, "its log has overwritten something");
}
