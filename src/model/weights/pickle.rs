//! The pickle inside a `pytorch_model.bin`: which tensors there are, and where their numbers lie.
//!
//! candle's reader isn't used, as it takes the lengths in a file on trust, copies what a pickle refers to and panics at
//! what it doesn't expect. This one knows the operations that `torch.save` writes (protocol 2), and runs none of the
//! functions that a pickle names.

use std::collections::HashMap;

use candle_core::DType;

/// A tensor as a pickle describes it. Everything is in elements, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    /// None where no tensor here has such numbers.
    pub(super) dtype: Option<DType>,
    /// The storage's name.
    pub(super) storage: String,
    /// Where the tensor starts in its storage.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// The tensors of a pickled state dictionary, by name.
///
/// # Errors
/// What is wrong with the pickle, in words that continue the file's name.
pub(super) fn tensors(pickle: &[u8]) -> Result<HashMap<String, Description>, String> {
    let mut machine = Machine {
        rest: pickle,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    while machine.step()? {}
    let top = machine.pop()?;
    let Value::Dict(entries) = &machine.values[top] else {
        return Err("isn't a state dictionary: it holds something else than named tensors".into());
    };
    let named =
        entries.iter().filter_map(|&(name, value)| match (&machine.values[name], &machine.values[value]) {
            (Value::Text(name), Value::Tensor(tensor)) => Some(((*name).to_owned(), tensor.clone())),
            _ => None,
        });
    Ok(named.collect())
}

/// A place in [`Machine::values`].
type Id = usize;

enum Value<'a> {
    /// Nothing that describes a tensor.
    Other,
    Int(i64),
    Text(&'a str),
    /// A module's class or function.
    Global(&'a str, &'a str),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Storage(Option<DType>, &'a str),
    Tensor(Description),
}

/// The stack machine that pickles are programs of. Values refer to each other by their place, so that none is copied,
/// and none owns another however deep they are nested.
struct Machine<'a> {
    rest: &'a [u8],
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Runs one operation; `false` after the last one.
    fn step(&mut self) -> Result<bool, String> {
        let [operation] = self.take()?;
        match operation {
            // PROTO
            0x80 => _ = self.take::<1>()?,
            // GLOBAL
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(module, name));
            }
            // BININT, BININT1, BININT2, LONG1
            b'J' => {
                let number = i32::from_le_bytes(self.take()?);
                self.push(Value::Int(number.into()));
            }
            b'K' => {
                let [number] = self.take()?;
                self.push(Value::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.take()?);
                self.push(Value::Int(number.into()));
            }
            0x8A => {
                let [length] = self.take()?;
                let bytes = self.slice(length.into())?;
                let value = long(bytes).map_or(Value::Other, Value::Int);
                self.push(value);
            }
            // BINUNICODE
            b'X' => {
                let length = u32::from_le_bytes(self.take()?) as usize;
                let text = std::str::from_utf8(self.slice(length)?)
                    .map_err(|_| broken("a name that isn't UTF-8"))?;
                self.push(Value::Text(text));
            }
            // BINFLOAT
            b'G' => {
                self.take::<8>()?;
                self.push(Value::Other);
            }
            // NONE, NEWTRUE, NEWFALSE, EMPTY_LIST
            b'N' | 0x88 | 0x89 | b']' => self.push(Value::Other),
            // EMPTY_DICT, EMPTY_TUPLE
            b'}' => self.push(Value::Dict(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            // MARK, TUPLE, TUPLE1, TUPLE2, TUPLE3
            b'(' => self.marks.push(self.stack.len()),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            0x85..=0x87 => {
                let count = usize::from(operation - 0x84);
                let height = self.stack.len().checked_sub(count).ok_or_else(|| broken("an empty stack"))?;
                let items = self.stack.split_off(height);
                self.push(Value::Tuple(items));
            }
            // BINGET, LONG_BINGET, BINPUT, LONG_BINPUT
            b'h' => self.recall_byte()?,
            b'j' => {
                let key = u32::from_le_bytes(self.take()?);
                self.recall(key)?;
            }
            b'q' => {
                let [key] = self.take()?;
                self.memorise(key.into())?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.take()?);
                self.memorise(key)?;
            }
            // BINPERSID
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(storage);
            }
            // REDUCE, NEWOBJ
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let value = self.call(function, arguments)?;
                self.push(value);
            }
            // BUILD, which sets attributes, and APPEND: neither matters here.
            b'b' | b'a' => _ = self.pop()?,
            // APPENDS
            b'e' => _ = self.pop_to_mark()?,
            // SETITEM, SETITEMS
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.insert(&items)?;
            }
            // STOP
            b'.' => return Ok(false),
            other => return Err(broken(&format!("the operation {other:#04x}, which weights don't need"))),
        }
        Ok(true)
    }

    /// What a function makes of its arguments, as far as tensors are concerned.
    fn call(&self, function: Id, arguments: Id) -> Result<Value<'a>, String> {
        match self.values[function] {
            Value::Global("torch._utils", "_rebuild_tensor_v2") => self.tensor(arguments).map(Value::Tensor),
            Value::Global("torch._utils", "_rebuild_parameter") => {
                match &self.values[self.item(arguments, 0)?] {
                    Value::Tensor(tensor) => Ok(Value::Tensor(tensor.clone())),
                    _ => Ok(Value::Other),
                }
            }
            Value::Global("collections", "OrderedDict") => Ok(Value::Dict(Vec::new())),
            _ => Ok(Value::Other),
        }
    }

    /// The tensor that `_rebuild_tensor_v2(storage, offset, shape, strides, …)` makes.
    fn tensor(&self, arguments: Id) -> Result<Description, String> {
        let Value::Storage(dtype, storage) = self.values[self.item(arguments, 0)?] else {
            return Err(broken("a tensor without a storage"));
        };
        Ok(Description {
            dtype,
            storage: storage.to_owned(),
            offset: self.size(self.item(arguments, 1)?)?,
            shape: self.sizes(self.item(arguments, 2)?)?,
            strides: self.sizes(self.item(arguments, 3)?)?,
        })
    }

    /// The storage that `("storage", class, name, device, elements)` refers to.
    fn storage(&self, id: Id) -> Result<Value<'a>, String> {
        let (class, name) = (self.item(id, 1)?, self.item(id, 2)?);
        let (&Value::Global("torch", class), &Value::Text(name)) = (&self.values[class], &self.values[name])
        else {
            return Err(broken("a storage without a type or a name"));
        };
        let dtype = match class {
            "FloatStorage" => Some(DType::F32),
            "HalfStorage" => Some(DType::F16),
            "BFloat16Storage" => Some(DType::BF16),
            "DoubleStorage" => Some(DType::F64),
            _ => None,
        };
        Ok(Value::Storage(dtype, name))
    }

    fn item(&self, tuple: Id, index: usize) -> Result<Id, String> {
        match &self.values[tuple] {
            Value::Tuple(items) => items.get(index).copied().ok_or_else(|| broken("too short a tuple")),
            _ => Err(broken("no tuple where one is needed")),
        }
    }

    fn sizes(&self, tuple: Id) -> Result<Vec<usize>, String> {
        match &self.values[tuple] {
            Value::Tuple(items) => items.iter().map(|&item| self.size(item)).collect(),
            _ => Err(broken("no tuple where one is needed")),
        }
    }

    fn size(&self, id: Id) -> Result<usize, String> {
        match self.values[id] {
            Value::Int(number) => usize::try_from(number).map_err(|_| broken("a negative size")),
            _ => Err(broken("no number where a size is needed")),
        }
    }

    /// Adds keys and values, in turn, to the dictionary on top.
    fn insert(&mut self, items: &[Id]) -> Result<(), String> {
        let top = *self.stack.last().ok_or_else(|| broken("an empty stack"))?;
        if let Value::Dict(entries) = &mut self.values[top] {
            entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        }
        Ok(())
    }

    fn recall_byte(&mut self) -> Result<(), String> {
        let [key] = self.take()?;
        self.recall(key.into())
    }

    fn recall(&mut self, key: u32) -> Result<(), String> {
        let id = self.memo.get(&key).ok_or_else(|| broken("a reference to nothing"))?;
        self.stack.push(*id);
        Ok(())
    }

    fn memorise(&mut self, key: u32) -> Result<(), String> {
        let top = *self.stack.last().ok_or_else(|| broken("an empty stack"))?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<Id, String> {
        self.stack.pop().ok_or_else(|| broken("an empty stack"))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let height = self.marks.pop().filter(|&height| height <= self.stack.len());
        Ok(self.stack.split_off(height.ok_or_else(|| broken("no mark"))?))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(ends)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(ends)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let end = self.rest.iter().position(|&byte| byte == b'\n').ok_or_else(ends)?;
        let line = self.slice(end)?;
        self.take::<1>()?;
        std::str::from_utf8(line).map_err(|_| broken("a name that isn't UTF-8"))
    }
}

/// A little-endian number in two's complement, where it fits.
fn long(bytes: &[u8]) -> Option<i64> {
    let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xFF } else { 0 };
    let mut number = [fill; 8];
    number.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(number))
}

fn broken(what: &str) -> String {
    format!("has a broken list of tensors: {what}")
}

fn ends() -> String {
    broken("it ends too early")
}
