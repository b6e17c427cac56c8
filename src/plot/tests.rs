use super::*;

/// The values of an attribute of all elements of a kind.
fn attribute(svg: &str, element: &str, name: &str) -> Vec<String> {
    let (open, key) = (format!("<{element} "), format!(" {name}=\""));
    svg.match_indices(&open)
        .filter_map(|(at, _)| {
            let tag = &svg[at..at + svg[at..].find('>')?];
            let value = &tag[tag.find(&key)? + key.len()..];
            Some(value[..value.find('"')?].to_owned())
        })
        .collect()
}

fn texts(svg: &str) -> Vec<String> {
    svg.split("<text ")
        .skip(1)
        .filter_map(|part| {
            let start = part.find('>')? + 1;
            let end = part.find("</text>")?;
            Some(part[start..end].trim().to_owned())
        })
        .collect()
}

#[test]
fn a_chart_says_what_it_shows() {
    let svg = lines(
        "Quality <by> size & k",
        &Axis::new("latents").logarithmic(),
        &Axis::new("FVU").unit("share"),
        &[
            Series::new("k = 16", &[(1000.0, 0.3), (10_000.0, 0.2)]),
            Series::new("k = 32", &[(1000.0, 0.2), (10_000.0, 0.1)]),
        ],
    )
    .unwrap();
    let texts = texts(&svg);
    for expected in [
        "Quality &lt;by&gt; size &amp; k",
        "latents",
        "FVU (share)",
        "k = 16",
        "1,000",
    ] {
        assert!(
            texts.iter().any(|text| text == expected),
            "{texts:?} lack {expected}"
        );
    }
    assert!(svg.contains("aria-label=\"Quality &lt;by&gt; size &amp; k\""));
    let colours = attribute(&svg, "circle", "fill");
    let distinct: std::collections::BTreeSet<&String> = colours.iter().collect();
    assert_eq!(distinct.len(), 2, "a colour for each series");
    // Two markers in the legend, four on the lines.
    assert_eq!(colours.len(), 6);
}

#[test]
fn points_lie_in_proportion_and_cover_each_other_once() {
    let points = [(0.0, 0.0), (5.0, 5.0), (5.0, 5.0), (10.0, 10.0)];
    let svg = scatter(
        "t",
        &Axis::new("x"),
        &Axis::new("y"),
        &[Series::new("", &points)],
    )
    .unwrap();
    let read = |name| -> Vec<i32> {
        let values = attribute(&svg, "circle", name);
        values.iter().map(|value| value.parse().unwrap()).collect()
    };
    let (x, y) = (read("cx"), read("cy"));
    assert_eq!(x.len(), 3);
    assert!((x[1] * 2 - x[0] - x[2]).abs() <= 1 && x[0] < x[2]);
    assert!((y[1] * 2 - y[0] - y[2]).abs() <= 1 && y[0] > y[2]);
}

#[test]
fn classes_beyond_the_colours_change_their_marker() {
    let point = [(1.0, 1.0)];
    let names: Vec<String> = (0..13).map(|class| class.to_string()).collect();
    let classes: Vec<Series<'_>> = names.iter().map(|name| Series::new(name, &point)).collect();
    let svg = scatter("t", &Axis::new("x"), &Axis::new("y"), &classes).unwrap();
    assert_eq!(attribute(&svg, "circle", "fill").len(), 12);
    assert_eq!(attribute(&svg, "polygon", "fill").len(), 12);
}

#[test]
fn bars_are_as_long_as_their_values() {
    let bars = [
        Bar {
            name: "up",
            value: 0.4,
            interval: Some((0.3, 0.5)),
        },
        Bar::new("down", -0.2),
    ];
    let svg = horizontal_bars("t", &Axis::new("difference"), &bars).unwrap();
    let widths: Vec<i32> = attribute(&svg, "rect", "width")
        .iter()
        .skip(1)
        .map(|width| width.parse().unwrap())
        .collect();
    assert!((widths[0] - 2 * widths[1]).abs() <= 2, "{widths:?}");
    let tops: Vec<i32> = attribute(&svg, "rect", "y")
        .iter()
        .skip(1)
        .map(|y| y.parse().unwrap())
        .collect();
    assert!(tops[0] < tops[1], "the first bar is on top");
    let texts = texts(&svg);
    assert!(texts.contains(&"up".to_owned()) && texts.contains(&"down".to_owned()));
}

#[test]
fn bins_hold_every_value_once() {
    let values = [0.0, 0.1, 0.9, 1.0, 2.0, 4.0];
    let counts: Vec<f64> = bin_counts(&values, 4, false)
        .iter()
        .map(|bin| bin.2)
        .collect();
    assert_eq!(counts, [3.0, 1.0, 1.0, 1.0]);
    let counts: Vec<f64> = bin_counts(&[1.0, 10.0, 1000.0], 3, true)
        .iter()
        .map(|bin| bin.2)
        .collect();
    assert_eq!(counts.iter().sum::<f64>(), 3.0);
    let svg = histogram("t", &Axis::new("x"), &Axis::new("documents"), &values, 4).unwrap();
    assert_eq!(attribute(&svg, "rect", "fill").len(), 5);
    assert!(histogram("t", &Axis::new("x"), &Axis::new("y"), &[3.0], 5).is_ok());
}

#[test]
fn what_cannot_be_drawn_is_refused_by_name() {
    let axis = Axis::new("x");
    let none = lines("empty", &axis, &axis, &[]).unwrap_err();
    assert!(none.message().contains("\"empty\""), "{none}");
    let points = [(1.0, f64::NAN)];
    let series = [Series::new("s", &points)];
    assert!(lines("t", &axis, &axis, &series).is_err());
    let points = [(0.0, 1.0)];
    let series = [Series::new("s", &points)];
    assert!(lines("t", &axis.clone().logarithmic(), &axis, &series).is_err());
    assert!(lines("t", &axis, &axis, &series).is_ok());
    assert!(histogram("t", &axis, &axis, &[1.0], 0).is_err());
}

#[test]
fn control_characters_do_not_reach_the_file() {
    let points = [(0.0, 1.0)];
    let series = [Series {
        name: "a\u{0}b\u{1b}c",
        points: &points,
    }];
    let svg = lines("t\u{7}", &Axis::new("x\ny"), &Axis::new("y"), &series).unwrap();
    assert!(svg.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(texts(&svg).contains(&"a b c".to_owned()));
}
