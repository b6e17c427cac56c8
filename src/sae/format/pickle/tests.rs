use super::*;
use crate::error::ErrorKind;

fn refusal(bytes: &[u8]) -> String {
    let error = read(bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    error.to_string()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Bytes of `pickle.dumps({"a": [1, -2, 70000, 2**40], "b": (None, True, .5, "x"), "c": {}}, p)`
/// of CPython.
#[test]
fn plain_data_of_protocols_2_and_4_is_read() {
    let two: &[u8] = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01J\xfe\xff\xff\xffJp\x11\x01\x00\x8a\x06\x00\x00\x00\x00\x00\x01eX\x01\x00\x00\x00bq\x03(N\x88G?\xe0\x00\x00\x00\x00\x00\x00X\x01\x00\x00\x00xq\x04tq\x05X\x01\x00\x00\x00cq\x06}q\x07u.";
    let four: &[u8] = b"\x80\x04\x95=\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94]\x94(K\x01J\xfe\xff\xff\xffJp\x11\x01\x00\x8a\x06\x00\x00\x00\x00\x00\x01e\x8c\x01b\x94(N\x88G?\xe0\x00\x00\x00\x00\x00\x00\x8c\x01x\x94t\x94\x8c\x01c\x94}\x94u.";
    let expected = Value::Dict(vec![
        (
            text("a"),
            Value::List([1, -2, 70_000, 1 << 40].map(Value::Int).to_vec()),
        ),
        (
            text("b"),
            Value::List(vec![
                Value::None,
                Value::Bool(true),
                Value::Float(0.5),
                text("x"),
            ]),
        ),
        (text("c"), Value::Dict(vec![])),
    ]);
    assert_eq!(read(two).unwrap(), expected);
    assert_eq!(read(four).unwrap(), expected);
}

#[test]
fn a_container_filled_after_it_was_memorised_is_filled_everywhere() {
    // [d, d] with d = {} memorised, then d["k"] = 7.
    let bytes = b"\x80\x02](}q\x00X\x01\x00\x00\x00kK\x07sh\x00e.";
    let filled = Value::Dict(vec![(text("k"), Value::Int(7))]);
    assert_eq!(
        read(bytes).unwrap(),
        Value::List(vec![filled.clone(), filled])
    );
}

#[test]
fn code_is_refused_by_name() {
    // What `os.system("ls")` pickles to.
    let call = b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.";
    assert!(refusal(call).contains("posix.system"), "{}", refusal(call));
    let stacked = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.";
    assert!(refusal(stacked).contains("builtins.eval"));
    let object = b"\x80\x02ctorch.nn.modules.linear\nLinear\n)\x81}b.";
    assert!(refusal(object).contains("torch.nn.modules.linear.Linear"));
    assert!(refusal(b"\x80\x02ctorch\nload\n.").contains("torch.load"));
}

#[test]
fn other_opcodes_are_refused_by_name() {
    for (bytes, name) in [
        (&b"\x80\x02(iposix\nsystem\n."[..], "INST"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "NEWOBJ"),
        (b"\x80\x02\x82\x01.", "EXT"),
        (b"\x80\x03C\x01x.", "BINBYTES"),
        (b"\x80\x04\x8f.", "a set"),
        (b"I1\n.", "0x49"),
    ] {
        assert!(refusal(bytes).contains(name), "{}", refusal(bytes));
    }
    // Attributes of anything but a dictionary.
    assert!(refusal(b"\x80\x02]}b.").contains("attributes"));
}

#[test]
fn broken_pickles_are_errors() {
    for bytes in [
        &b""[..],
        b"\x80",
        b"\x80\x02",
        b"\x80\x02.",
        b"\x80\x02h\x05.",
        b"\x80\x02X\xff\xff\xff\xffab.",
        b"\x80\x02X\x01\x00\x00\x00\xff.",
        b"\x80\x02}K\x01a.",
        b"\x80\x02]K\x01K\x02s.",
        b"\x80\x02}(K\x01u.",
        b"\x80\x02u.",
        b"\x80\x02K\x01)R.",
        b"\x80\x02ccollections\nOrderedDict\n.",
        b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.",
        b"\x80\x02ctorch\nFloatStorage\n\x85Q.",
    ] {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{bytes:?}: {error}");
    }
}

#[test]
fn what_holds_itself_or_unfolds_without_end_is_refused() {
    // l = []; l.append(l)
    let own = b"\x80\x02]q\x00h\x00a.";
    assert_eq!(read(own).unwrap_err().kind(), ErrorKind::Corrupted);
    // Thirty lists, each holding the one before twice: a billion when unfolded.
    let mut doubled = b"\x80\x02]q\x00".to_vec();
    for level in 0..30u8 {
        doubled.extend([b']', b'q', level + 1, b'h', level, b'a']);
        doubled.extend([b'h', level, b'a']);
    }
    doubled.push(b'.');
    assert_eq!(read(&doubled).unwrap_err().kind(), ErrorKind::Corrupted);
}
