//! Reading pickles without running them: a stack machine for the few opcodes that hold plain data
//! and tensors. Every other opcode, and every name of code outside a short list, is refused.
//!
//! A pickle is a program that may call any function of Python. Here a name stands for nothing but
//! itself: the list below says which few mean a dictionary, a tensor or a storage, and no other is
//! let in. (Python's `pickletools` documents the opcodes.)

use std::collections::HashMap;

use crate::error::{Error, Result};

/// Objects a pickle may make: more than any list of tensors has, few enough to stay small.
const MAX_OBJECTS: usize = 1 << 20;
/// Maximum nesting of containers.
const MAX_DEPTH: usize = 32;

/// Plain data, with tensors as references into the archive.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Tensor(TensorRef),
}

/// A tensor that lies in a storage of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorRef {
    /// Name of the storage.
    pub storage: String,
    pub element: Element,
    /// Elements of the storage.
    pub storage_len: usize,
    /// First element.
    pub offset: usize,
    pub shape: Vec<usize>,
    /// Elements from one index to the next, per extent.
    pub strides: Vec<usize>,
}

/// The element type of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Element {
    pub fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }
}

/// Names that a pickle may mention.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Name {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Element),
}

impl Name {
    fn known(module: &str, name: &str) -> Result<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Ok(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Ok(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Ok(Self::RebuildParameter),
            ("torch", storage) => match storage {
                "DoubleStorage" => Some(Element::F64),
                "FloatStorage" => Some(Element::F32),
                "HalfStorage" => Some(Element::F16),
                "BFloat16Storage" => Some(Element::Bf16),
                "LongStorage" => Some(Element::I64),
                "IntStorage" => Some(Element::I32),
                "ShortStorage" => Some(Element::I16),
                "CharStorage" => Some(Element::I8),
                "ByteStorage" => Some(Element::U8),
                "BoolStorage" => Some(Element::Bool),
                _ => None,
            }
            .map(Self::Storage)
            .ok_or_else(|| refused_name(module, name)),
            _ => Err(refused_name(module, name)),
        }
    }
}

fn refused_name(module: &str, name: &str) -> Error {
    Error::invalid(
        "pickle",
        format!(
            "names {module}.{name}, which is refused: only tensors and plain data are read, and \
             nothing is run; save the tensors alone"
        ),
    )
}

fn malformed(what: impl std::fmt::Display) -> Error {
    Error::corrupted(format!("the pickle is malformed: {what}"))
}

/// An object of the machine; containers hold the numbers of others, so that an object filled after
/// it was memorised is filled everywhere.
#[derive(Clone, Debug)]
enum Object {
    Mark,
    Plain(Value),
    List(Vec<usize>),
    Tuple(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    Name(Name),
    /// A storage: its key, element and length.
    Storage(String, Element, usize),
}

/// Reads the one object of a pickle.
///
/// # Errors
/// `InvalidArgument` naming the opcode or the name that is refused, `Corrupted` when the bytes are
/// no pickle.
pub(super) fn read(bytes: &[u8]) -> Result<Value> {
    let mut machine = Machine {
        bytes,
        at: 0,
        objects: Vec::new(),
        stack: Vec::new(),
        memo: HashMap::new(),
    };
    while !machine.step()? {}
    let root = machine.pop()?;
    let mut budget = MAX_OBJECTS;
    machine.value(root, 0, &mut budget)
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    stack: Vec<usize>,
    memo: HashMap<u32, usize>,
}

impl Machine<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let end = self
            .at
            .checked_add(count)
            .filter(|e| *e <= self.bytes.len());
        let end = end.ok_or_else(|| malformed("it is cut short"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn number(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn line(&mut self) -> Result<String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n');
        let length = length.ok_or_else(|| malformed("a name has no end"))?;
        let line = text(&rest[..length])?;
        self.at += length + 1;
        Ok(line)
    }

    fn string(&mut self, length: usize) -> Result<()> {
        let string = text(self.take(length)?)?;
        self.push(Object::Plain(Value::Text(string)))
    }

    fn push(&mut self, object: Object) -> Result<()> {
        if self.objects.len() == MAX_OBJECTS {
            return Err(malformed(format!("it makes over {MAX_OBJECTS} objects")));
        }
        self.stack.push(self.objects.len());
        self.objects.push(object);
        Ok(())
    }

    fn pop(&mut self) -> Result<usize> {
        self.stack
            .pop()
            .ok_or_else(|| malformed("its stack is empty"))
    }

    fn top(&self) -> Result<usize> {
        self.stack
            .last()
            .copied()
            .ok_or_else(|| malformed("its stack is empty"))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<usize>> {
        let is_mark = |number: &usize| matches!(self.objects[*number], Object::Mark);
        let mark = self.stack.iter().rposition(is_mark);
        let mark = mark.ok_or_else(|| malformed("a mark is missing"))?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn tuple(&mut self, count: usize) -> Result<()> {
        let from = self.stack.len().checked_sub(count);
        let from = from.ok_or_else(|| malformed("its stack is empty"))?;
        let items = self.stack.split_off(from);
        self.push(Object::Tuple(items))
    }

    fn recall(&mut self, key: u32) -> Result<()> {
        let number = self.memo.get(&key).copied();
        self.stack
            .push(number.ok_or_else(|| malformed(format!("memo {key} is empty")))?);
        Ok(())
    }

    /// Runs one opcode; true at the end.
    fn step(&mut self) -> Result<bool> {
        let plain = |value| Object::Plain(value);
        match self.byte()? {
            0x80 => {
                self.byte()?;
            }
            0x95 => {
                self.take(8)?;
            }
            b'.' => return Ok(true),
            b'(' => self.push(Object::Mark)?,
            b'N' => self.push(plain(Value::None))?,
            0x88 => self.push(plain(Value::Bool(true)))?,
            0x89 => self.push(plain(Value::Bool(false)))?,
            b'K' => {
                let value = i64::from(self.byte()?);
                self.push(plain(Value::Int(value)))?;
            }
            b'M' => {
                let value = i64::from(u16::from_le_bytes(self.array()?));
                self.push(plain(Value::Int(value)))?;
            }
            b'J' => {
                let value = i64::from(i32::from_le_bytes(self.array()?));
                self.push(plain(Value::Int(value)))?;
            }
            0x8a => {
                let length = usize::from(self.byte()?);
                let value = long(self.take(length)?)?;
                self.push(plain(Value::Int(value)))?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(plain(Value::Float(value)))?;
            }
            b'X' => {
                let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
                self.string(length)?;
            }
            0x8c => {
                let length = usize::from(self.byte()?);
                self.string(length)?;
            }
            opcode => return self.step_container(opcode).map(|()| false),
        }
        Ok(false)
    }

    /// The opcodes of containers, names and the memo.
    fn step_container(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            b'}' => self.push(Object::Dict(Vec::new())),
            b']' => self.push(Object::List(Vec::new())),
            b')' => self.tuple(0),
            0x85 => self.tuple(1),
            0x86 => self.tuple(2),
            0x87 => self.tuple(3),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Object::Tuple(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.insert(&[key, value])
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.insert(&items)
            }
            b'q' => {
                let key = u32::from(self.byte()?);
                self.memo.insert(key, self.top()?);
                Ok(())
            }
            b'r' => {
                let key = self.number()?;
                self.memo.insert(key, self.top()?);
                Ok(())
            }
            0x94 => {
                let key = u32::try_from(self.memo.len()).map_err(malformed)?;
                self.memo.insert(key, self.top()?);
                Ok(())
            }
            b'h' => {
                let key = u32::from(self.byte()?);
                self.recall(key)
            }
            b'j' => {
                let key = self.number()?;
                self.recall(key)
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Object::Name(Name::known(&module, &name)?))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (module, name) = (self.text(module)?, self.text(name)?);
                self.push(Object::Name(Name::known(&module, &name)?))
            }
            b'R' => self.reduce(),
            b'b' => self.build(),
            b'Q' => self.persistent(),
            other => Err(Error::invalid(
                "pickle",
                format!(
                    "uses the opcode {}, which is refused: only tensors and plain data are read",
                    opcode_name(other)
                ),
            )),
        }
    }

    fn append(&mut self, items: Vec<usize>) -> Result<()> {
        let list = self.top()?;
        match &mut self.objects[list] {
            Object::List(held) => {
                held.extend(items);
                Ok(())
            }
            _ => Err(malformed("it appends to what is no list")),
        }
    }

    fn insert(&mut self, items: &[usize]) -> Result<()> {
        let (pairs, rest) = items.as_chunks::<2>();
        let dict = self.top()?;
        match &mut self.objects[dict] {
            Object::Dict(held) if rest.is_empty() => {
                held.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => Err(malformed("it sets items of what is no dictionary")),
        }
    }

    /// Calls of the few names that make data.
    fn reduce(&mut self) -> Result<()> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let arguments = self.items(arguments)?;
        let Object::Name(name) = self.objects[callable] else {
            return Err(malformed("it calls what has no name"));
        };
        match (name, &arguments[..]) {
            (Name::OrderedDict, []) => self.push(Object::Dict(Vec::new())),
            (Name::RebuildTensor, [storage, offset, shape, strides, ..]) => {
                let Object::Storage(storage, element, storage_len) = self.objects[*storage].clone()
                else {
                    return Err(malformed("a tensor has no storage"));
                };
                let tensor = TensorRef {
                    storage,
                    element,
                    storage_len,
                    offset: self.size(*offset)?,
                    shape: self.sizes(*shape)?,
                    strides: self.sizes(*strides)?,
                };
                if tensor.shape.len() != tensor.strides.len() {
                    return Err(malformed("a tensor's strides are not those of its shape"));
                }
                self.push(Object::Plain(Value::Tensor(tensor)))
            }
            // The tensor it wraps; whether it wants a gradient is nothing to a reader.
            (Name::RebuildParameter, [tensor, ..]) => {
                self.stack.push(*tensor);
                Ok(())
            }
            _ => Err(malformed(format!("{name:?} is called in another way"))),
        }
    }

    /// Attributes of a dictionary: torch keeps versions of modules there.
    fn build(&mut self) -> Result<()> {
        self.pop()?;
        match self.objects[self.top()?] {
            Object::Dict(_) => Ok(()),
            _ => Err(Error::invalid(
                "pickle",
                "sets the attributes of an object, which is refused: only tensors and plain data \
                 are read",
            )),
        }
    }

    /// `("storage", class, key, device, length)`, which stands for a file of the archive.
    fn persistent(&mut self) -> Result<()> {
        let number = self.pop()?;
        let items = self.items(number)?;
        let [kind, class, key, _, length, ..] = items[..] else {
            return Err(malformed("a storage has too few parts"));
        };
        let Object::Name(Name::Storage(element)) = self.objects[class] else {
            return Err(malformed("a storage has no type"));
        };
        if self.text(kind)? != "storage" {
            return Err(malformed("a reference is no storage"));
        }
        let (key, length) = (self.text(key)?, self.size(length)?);
        self.push(Object::Storage(key, element, length))
    }

    fn items(&self, number: usize) -> Result<Vec<usize>> {
        match &self.objects[number] {
            Object::Tuple(items) => Ok(items.clone()),
            _ => Err(malformed("arguments are no tuple")),
        }
    }

    fn text(&self, number: usize) -> Result<String> {
        match &self.objects[number] {
            Object::Plain(Value::Text(text)) => Ok(text.clone()),
            _ => Err(malformed("a name is no text")),
        }
    }

    fn size(&self, number: usize) -> Result<usize> {
        match &self.objects[number] {
            Object::Plain(Value::Int(size)) => usize::try_from(*size).map_err(malformed),
            _ => Err(malformed("a size is no whole number")),
        }
    }

    fn sizes(&self, number: usize) -> Result<Vec<usize>> {
        let items = self.items(number)?;
        items.into_iter().map(|item| self.size(item)).collect()
    }

    /// An object with what it holds. What is held twice counts twice, so `budget` bounds pickles
    /// that hold themselves or unfold without end.
    fn value(&self, number: usize, depth: usize, budget: &mut usize) -> Result<Value> {
        if depth > MAX_DEPTH || *budget == 0 {
            return Err(malformed("it is nested too deeply"));
        }
        *budget -= 1;
        match &self.objects[number] {
            Object::Plain(value) => Ok(value.clone()),
            Object::List(items) | Object::Tuple(items) => items
                .iter()
                .map(|item| self.value(*item, depth + 1, budget))
                .collect::<Result<_>>()
                .map(Value::List),
            Object::Dict(pairs) => pairs
                .iter()
                .map(|(key, value)| {
                    Ok((
                        self.value(*key, depth + 1, budget)?,
                        self.value(*value, depth + 1, budget)?,
                    ))
                })
                .collect::<Result<_>>()
                .map(Value::Dict),
            Object::Mark | Object::Name(_) | Object::Storage(..) => {
                Err(malformed("it holds a name where data belongs"))
            }
        }
    }
}

fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| malformed("a text is not UTF-8"))
}

/// A little-endian whole number of any length that fits 64 bits.
fn long(bytes: &[u8]) -> Result<i64> {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let mut raw = [fill; 8];
    if bytes.len() > raw.len() {
        return Err(malformed("a whole number has over 64 bits"));
    }
    raw[..bytes.len()].copy_from_slice(bytes);
    Ok(i64::from_le_bytes(raw))
}

fn opcode_name(opcode: u8) -> String {
    match opcode {
        b'i' => "INST".to_owned(),
        b'o' => "OBJ".to_owned(),
        0x81 => "NEWOBJ".to_owned(),
        0x92 => "NEWOBJ_EX".to_owned(),
        0x82..=0x84 => "EXT".to_owned(),
        b'P' => "PERSID".to_owned(),
        0x8f..=0x91 => "a set".to_owned(),
        b'B' | b'C' | 0x8e => "BINBYTES".to_owned(),
        other => format!("{other:#04x}"),
    }
}

#[cfg(test)]
mod tests;
