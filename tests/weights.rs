//! Weights are read as PyTorch and safetensors write them (`tests/golden/make_pickles.py`), and what can't be read is
//! refused with its reason.

use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use proptest::prelude::*;
use tarjoman::model::Weights;
use tarjoman::nn::WeightRows;

/// Every tensor of `tensors.bin` with its shape.
const TENSORS: [(&str, &[usize]); 10] = [
    ("matrix", &[6, 4]),
    ("rows", &[3, 4]),
    ("turned", &[4, 6]),
    ("parameter", &[3, 2]),
    ("vector", &[5]),
    ("half", &[2, 3]),
    ("bfloat", &[2, 3]),
    ("double", &[4]),
    ("scalar", &[]),
    ("empty", &[0, 4]),
];

#[test]
fn a_pickle_holds_what_safetensors_holds() {
    let (pickle, safetensors) = (open("tensors.bin").unwrap(), open("tensors.safetensors").unwrap());
    for (name, shape) in TENSORS {
        let [actual, expected] = [&pickle, &safetensors].map(|weights| weights.get(name, shape).unwrap());
        assert_eq!(actual.dtype(), expected.dtype(), "{name}");
        let numbers = |tensor: &candle_core::Tensor| {
            let tensor = tensor.to_dtype(DType::F64).unwrap();
            tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap()
        };
        assert_eq!(numbers(&actual), numbers(&expected), "{name}");
    }
    assert_eq!(pickle.get("half", &[2, 3]).unwrap().dtype(), DType::F16);
    assert_eq!(pickle.get("bfloat", &[2, 3]).unwrap().dtype(), DType::BF16);
}

#[test]
fn the_rows_of_a_matrix_are_those_of_its_tensor() {
    for file in ["tensors.bin", "tensors.safetensors"] {
        let weights = open(file).unwrap();
        for (name, shape) in TENSORS {
            let &[rows, columns] = shape else { continue };
            let matrix = weights.matrix(name, [rows, columns]).unwrap();
            assert_eq!(matrix.shape(), (rows, columns));
            let mut numbers = vec![f32::NAN; rows * columns];
            let by_row = numbers.chunks_exact_mut(columns).enumerate();
            by_row.for_each(|(row, buffer)| matrix.write(row, buffer));
            drop(matrix);
            let tensor = weights.get(name, shape).unwrap().to_dtype(DType::F32).unwrap();
            assert_eq!(numbers, tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap(), "{file}: {name}");
        }
    }
}

#[test]
fn a_tensor_of_another_shape_or_kind_is_refused_by_name() {
    for file in ["tensors.bin", "tensors.safetensors"] {
        let weights = open(file).unwrap();
        let error = |name, shape: &[usize]| weights.get(name, shape).unwrap_err().to_string();
        assert!(error("matrix", &[4, 6]).contains("\"matrix\" has the shape [6, 4]"));
        assert!(error("nothing", &[1]).contains("no usable tensor \"nothing\""));
        assert!(error("counts", &[4]).contains("\"counts\""));
    }
    let error = open("strided.bin").unwrap().get("strided", &[6, 2]).unwrap_err().to_string();
    assert!(error.contains("no usable tensor \"strided\""), "{error}");
}

#[test]
fn a_file_older_than_pytorch_1_6_is_refused_with_the_remedy() {
    let error = open("old.bin").err().unwrap().to_string();
    assert!(error.contains("older than 1.6") && error.contains("model.safetensors"), "{error}");
}

#[test]
fn what_is_no_archive_of_weights_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pytorch_model.bin");
    for (bytes, reason) in [
        (&b""[..], "isn't a readable zip archive"),
        (b"version https://git-lfs.github.com/spec/v1", "isn't a readable zip archive"),
        (&std::fs::read(golden("tensors.bin")).unwrap()[..2000], "isn't a readable zip archive"),
        (&archive(&[("x/data.txt", b"")]), "has no data.pkl"),
        (&archive(&[("x/data.pkl", b"\x80\x02}")]), "ends too early"),
        (&archive(&[("x/data.pkl", b"\x80\x02N.")]), "isn't a state dictionary"),
        (&archive(&[("x/data.pkl", b"\x80\x02}."), ("x/byteorder", b"big")]), "big-endian"),
        // A name of 4 GiB, a tuple of nothing, a reference to nothing, a function that would run a program.
        (&archive(&[("x/data.pkl", b"\x80\x02X\xFF\xFF\xFF\xFF.")]), "ends too early"),
        (&archive(&[("x/data.pkl", b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.")]), "too short a tuple"),
        (&archive(&[("x/data.pkl", b"h\x07.")]), "a reference to nothing"),
        (&archive(&[("x/data.pkl", b"cos\nsystem\nX\x02\0\0\0ls\x85R.")]), "isn't a state dictionary"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = Weights::open(&path, &Device::Cpu).err().expect(reason).to_string();
        assert!(error.contains(reason) && error.contains("pytorch_model.bin"), "{error}");
    }
}

#[test]
fn weights_are_found_in_one_file_or_in_several_and_what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let of_folder = || Weights::of_folder(folder.path(), &Device::Cpu);
    assert!(of_folder().err().unwrap().to_string().contains("has no weights"));
    let index = folder.path().join("pytorch_model.bin.index.json");
    for (json, reason) in [
        (r#"{"weight_map": {}}"#, "lists no files"),
        (r#"{"weight_map": {"matrix": "../tensors.bin"}}"#, "no file's name"),
        (r#"{"weight_map": {"matrix": "tensors.bin"}}"#, "is missing"),
        ("[]", "isn't an index"),
    ] {
        std::fs::write(&index, json).unwrap();
        let error = of_folder().err().expect(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
    std::fs::write(&index, r#"{"weight_map": {"matrix": "tensors.bin", "rows": "tensors.bin"}}"#).unwrap();
    std::fs::copy(golden("tensors.bin"), folder.path().join("tensors.bin")).unwrap();
    assert!(of_folder().unwrap().contains("matrix"));
    std::fs::copy(golden("tensors.safetensors"), folder.path().join("model.safetensors")).unwrap();
    let first = folder.path().join("model.safetensors");
    assert_eq!(of_folder().unwrap().files(), [first], "safetensors come first");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_it_panic_or_read_outside_the_file(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = std::fs::read(golden("tensors.bin")).unwrap();
        for (index, byte) in damage {
            *index.get_mut(&mut bytes[..]) = byte;
        }
        let mut file = tempfile::Builder::new().suffix(".bin").tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        if let Ok(weights) = Weights::open(file.path(), &Device::Cpu) {
            for (name, shape) in TENSORS {
                let _ = weights.get(name, shape);
            }
        }
    }
}

/// A zip archive of stored files.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn open(file: &str) -> tarjoman::Result<Weights> {
    Weights::open(&golden(file), &Device::Cpu)
}

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pickle").join(file)
}
