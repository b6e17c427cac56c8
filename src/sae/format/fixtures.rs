//! Small files as other programs write them, for tests.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use half::{bf16, f16};

/// What a checkpoint holds.
pub(crate) enum Item {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'static str),
    List(Vec<Item>),
    /// A plain dictionary.
    Dict(Vec<(&'static str, Item)>),
    /// A state dictionary: ordered, with torch's versions of modules as an attribute.
    State(Vec<(&'static str, Item)>),
    Floats(Vec<usize>, Vec<f32>),
    /// Stored with its extents exchanged, read through strides.
    Transposed(Vec<usize>, Vec<f32>),
    Halves(Vec<usize>, Vec<f32>),
    Brains(Vec<usize>, Vec<f32>),
    Longs(Vec<usize>, Vec<i64>),
    /// A parameter that wraps a tensor.
    Parameter(Box<Item>),
    /// A name of code, where a value belongs.
    Global(&'static str, &'static str),
}

/// Writes an archive as `torch.save` does: protocol 2, one file per storage.
pub(crate) fn torch(path: &Path, root: &Item) {
    let mut pickler = Pickler::default();
    pickler.out.extend([0x80, 2]);
    pickler.item(root);
    pickler.out.push(b'.');
    archive(path, &pickler.out, &pickler.storages);
}

/// Writes an archive of a pickle and storages.
pub(crate) fn archive(path: &Path, pickle: &[u8], storages: &[Vec<u8>]) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut file = |name: String, bytes: &[u8]| {
        zip.start_file(name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    };
    file("archive/data.pkl".to_owned(), pickle);
    file("archive/byteorder".to_owned(), b"little");
    for (key, bytes) in storages.iter().enumerate() {
        file(format!("archive/data/{key}"), bytes);
    }
    file("archive/version".to_owned(), b"3\n");
    zip.finish().unwrap();
}

/// Writes an archive as `numpy.savez` does.
pub(crate) fn npz(path: &Path, arrays: &[(&str, &[usize], &[f32])]) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, shape, values) in arrays {
        let shape: String = shape.iter().map(|extent| format!("{extent},")).collect();
        let mut header =
            format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        zip.start_file(format!("{name}.npy"), stored).unwrap();
        zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
        let length = u16::try_from(header.len()).unwrap();
        zip.write_all(&length.to_le_bytes()).unwrap();
        zip.write_all(header.as_bytes()).unwrap();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// Writes a safetensors file.
pub(crate) fn safetensors(path: &Path, tensors: &[(&str, Vec<usize>, Vec<f32>)]) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        let view =
            ::safetensors::tensor::TensorView::new(::safetensors::Dtype::F32, shape.clone(), bytes);
        (*name, view.unwrap())
    });
    std::fs::write(path, ::safetensors::serialize(views, None).unwrap()).unwrap();
}

#[derive(Default)]
struct Pickler {
    out: Vec<u8>,
    storages: Vec<Vec<u8>>,
    memo: u8,
}

impl Pickler {
    fn text(&mut self, text: &str) {
        self.out.push(b'X');
        self.out
            .extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        self.out.extend(text.bytes());
    }

    fn global(&mut self, module: &str, name: &str) {
        self.out.push(b'c');
        self.out.extend(format!("{module}\n{name}\n").bytes());
    }

    fn int(&mut self, value: i64) {
        match (u8::try_from(value), i32::try_from(value)) {
            (Ok(value), _) => self.out.extend([b'K', value]),
            (_, Ok(value)) => {
                self.out.push(b'J');
                self.out.extend(value.to_le_bytes());
            }
            _ => {
                self.out.extend([0x8a, 8]);
                self.out.extend(value.to_le_bytes());
            }
        }
    }

    fn sizes(&mut self, sizes: &[usize]) {
        self.out.push(b'(');
        for size in sizes {
            self.int(i64::try_from(*size).unwrap());
        }
        self.out.push(b't');
    }

    fn pairs(&mut self, pairs: &[(&'static str, Item)]) {
        // torch memorises a container before it fills it.
        self.out.extend([b'q', self.memo, b'(']);
        self.memo += 1;
        for (key, value) in pairs {
            self.text(key);
            self.item(value);
        }
        self.out.push(b'u');
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::None => self.out.push(b'N'),
            Item::Bool(flag) => self.out.push(if *flag { 0x88 } else { 0x89 }),
            Item::Int(value) => self.int(*value),
            Item::Float(value) => {
                self.out.push(b'G');
                self.out.extend(value.to_be_bytes());
            }
            Item::Text(text) => self.text(text),
            Item::List(items) => {
                self.out.extend(b"](");
                items.iter().for_each(|item| self.item(item));
                self.out.push(b'e');
            }
            Item::Dict(pairs) => {
                self.out.push(b'}');
                self.pairs(pairs);
            }
            Item::State(pairs) => {
                self.global("collections", "OrderedDict");
                self.out.extend(b")R");
                self.pairs(pairs);
                // The attribute `_metadata`.
                self.out.push(b'}');
                self.text("_metadata");
                self.global("collections", "OrderedDict");
                self.out.extend(b")Rsb");
            }
            Item::Floats(shape, values) => {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                self.tensor("FloatStorage", bytes, 4, shape, &row_major(shape));
            }
            Item::Transposed(shape, values) => {
                let (rows, columns) = (shape[0], shape[1]);
                let bytes = (0..columns)
                    .flat_map(|c| (0..rows).map(move |r| r * columns + c))
                    .flat_map(|at| values[at].to_le_bytes())
                    .collect();
                self.tensor("FloatStorage", bytes, 4, shape, &[1, rows]);
            }
            Item::Halves(shape, values) => {
                let bytes = values
                    .iter()
                    .flat_map(|v| f16::from_f32(*v).to_le_bytes())
                    .collect();
                self.tensor("HalfStorage", bytes, 2, shape, &row_major(shape));
            }
            Item::Brains(shape, values) => {
                let bytes = values
                    .iter()
                    .flat_map(|v| bf16::from_f32(*v).to_le_bytes())
                    .collect();
                self.tensor("BFloat16Storage", bytes, 2, shape, &row_major(shape));
            }
            Item::Longs(shape, values) => {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                self.tensor("LongStorage", bytes, 8, shape, &row_major(shape));
            }
            Item::Parameter(tensor) => {
                self.global("torch._utils", "_rebuild_parameter");
                self.item(tensor);
                self.out.push(0x88);
                self.global("collections", "OrderedDict");
                self.out.extend(b")R");
                self.out.extend([0x87, b'R']);
            }
            Item::Global(module, name) => self.global(module, name),
        }
    }

    fn tensor(
        &mut self,
        class: &str,
        bytes: Vec<u8>,
        width: usize,
        shape: &[usize],
        strides: &[usize],
    ) {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.out.extend(b"((");
        self.text("storage");
        self.global("torch", class);
        let key = self.storages.len().to_string();
        self.text(&key);
        self.text("cpu");
        self.int(i64::try_from(bytes.len() / width).unwrap());
        self.out.extend(b"tQ");
        self.int(0);
        self.sizes(shape);
        self.sizes(strides);
        self.out.push(0x89);
        self.global("collections", "OrderedDict");
        self.out.extend(b")RtR");
        self.storages.push(bytes);
    }
}

fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for at in (1..shape.len()).rev() {
        strides[at - 1] = strides[at] * shape[at];
    }
    strides
}
