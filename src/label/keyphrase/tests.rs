use super::*;

fn label(texts: &[String], active: &[usize]) -> Option<String> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let evidence = Evidence {
        active: active
            .iter()
            .map(|&at| (Passage::whole(texts[at]), 1.0))
            .collect(),
        ..Evidence::default()
    };
    let evidence = std::slice::from_ref(&evidence);
    Keyphrases::over(
        Vocabulary::default(),
        evidence,
        &texts,
        KeyphraseOptions::default(),
        None,
    )
    .label(&evidence[0], &Progress::default())
    .unwrap()
    .name()
}

#[test]
fn what_is_common_everywhere_is_no_label() {
    let texts: Vec<String> = (0..400)
        .map(|at| match at % 10 {
            0 => format!("good phone with a cracked screen {at}"),
            _ => format!("good lamp on a long desk {at}"),
        })
        .collect();
    let active: Vec<usize> = (0..400).step_by(10).collect();
    let found = label(&texts, &active).unwrap();
    assert!(found.contains("cracked screen"), "{found}");
    assert!(!found.contains("good"), "{found}");
    assert_eq!(label(&texts, &[]), None);
}

#[test]
fn the_spelling_is_that_of_the_documents() {
    let mut texts: Vec<String> = (0..60).map(|at| format!("a plain text {at}")).collect();
    for (at, text) in [
        "Graph networks on an FPGA",
        "the graph networks of FPGA boards",
        "Graph networks, FPGA",
        "on graph networks",
    ]
    .iter()
    .enumerate()
    {
        texts[at] = (*text).to_owned();
    }
    let found = label(&texts, &[0, 1, 2, 3]).unwrap();
    assert_eq!(found, "graph networks, FPGA");
}

#[test]
fn labels_of_texts_without_spaces_are_cut_from_them() {
    let texts: Vec<String> = (0..200)
        .map(|at| match at % 10 {
            0 => format!("第{at}天，我喜欢北京烤鸭和长城"),
            _ => format!("第{at}天，我们在上海的公司上班"),
        })
        .collect();
    let active: Vec<usize> = (0..200).step_by(10).collect();
    let found = label(&texts, &active).unwrap();
    assert!(found.chars().count() < 16, "{found}");
    assert!(found.contains("喜欢") || found.contains("烤鸭"), "{found}");
}

#[test]
fn a_label_has_at_most_eight_words() {
    let texts: Vec<String> = (0..100)
        .map(|at| match at {
            0..20 => "red oak tree house; blue whale song book; green tea leaf cup".to_owned(),
            _ => format!("a plain text {at}"),
        })
        .collect();
    let found = label(&texts, &(0..20).collect::<Vec<_>>()).unwrap();
    assert_eq!(found.split(", ").count(), 2, "{found}");
    assert_eq!(
        found.replace(',', "").split(' ').count(),
        MAX_WORDS,
        "{found}"
    );
}

#[test]
fn forms_of_a_word_are_one() {
    let english = Vocabulary::default();
    let words = |words: &[&str]| words.iter().map(|word| english.fold(word)).collect();
    let same = |left: &[&str], right: &[&str]| say_the_same(&words(left), &words(right));
    assert!(same(&["persuasion"], &["persuasive", "texts"]));
    assert!(same(&["identity"], &["identity", "aware"]));
    assert!(!same(&["interest"], &["internet"]));
    assert!(!same(&["graph"], &["network"]));
}

fn whole<'a>(texts: &[&'a str], activations: impl Fn(usize) -> f32) -> Vec<(Passage<'a>, f32)> {
    let places = texts.iter().enumerate();
    places
        .map(|(at, text)| (Passage::whole(text), activations(at)))
        .collect()
}

fn named(evidence: Evidence<'_>, texts: &[&str], embed: Option<&dyn Embed>) -> Naming {
    let evidence = [evidence];
    let (vocabulary, options) = (Vocabulary::default(), KeyphraseOptions::default());
    let labeller = Keyphrases::over(vocabulary, &evidence, texts, options, embed);
    labeller.label(&evidence[0], &Progress::default()).unwrap()
}

#[test]
fn meaning_chooses_among_phrases() {
    /// Phrases that hold a word point one way, as the documents of the latent do.
    struct Towards(&'static str);
    impl Embed for Towards {
        fn passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
            self.phrases(texts)
        }

        fn phrases(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
            let vector = |text: &String| match text.contains(self.0) {
                true => vec![1.0, 0.0],
                false => vec![0.0, 1.0],
            };
            Ok(texts.iter().map(vector).collect())
        }
    }
    let texts: Vec<&str> = (0..60)
        .map(|at| match at {
            0..10 => "solar panel and wind turbine",
            _ => "nothing of that sort",
        })
        .collect();
    let checked = |text, active, vector| {
        let passage = Passage {
            vector: Some(vector),
            ..Passage::whole(text)
        };
        (passage, f32::from(u8::from(active)))
    };
    let (towards, away) = ([1.0, 0.0], [0.0, 1.0]);
    let other = |text, vector| checked(text, false, vector).0;
    for (wanted, expected) in [("solar", "solar panel"), ("wind", "wind turbine")] {
        let embed = Towards(wanted);
        let evidence = Evidence {
            active: texts[..10]
                .iter()
                .map(|text| (checked(text, true, &towards[..]).0, 1.0))
                .collect(),
            inactive: vec![other("nothing of that sort", &away[..]); 10],
            // In other words.
            checks: [
                vec![checked("in other words", true, &towards[..]); 5],
                vec![checked("of other things", false, &away[..]); 5],
            ]
            .concat(),
            ..Evidence::default()
        };
        let found = named(evidence, &texts, Some(&embed)).name().unwrap();
        assert_eq!(found.split(", ").next(), Some(expected), "{found}");
    }
}

#[test]
fn near_copies_count_once() {
    let copy = "free shipping on this item and a full refund if you are not pleased with it";
    let mut texts: Vec<String> = (0..3).map(|at| format!("{copy} {at}")).collect();
    texts.extend(
        [
            "a blue teapot for two",
            "that teapot is chipped",
            "my own teapot",
            "teapot, old",
            "one teapot",
        ]
        .map(str::to_owned),
    );
    texts.extend((0..100).map(|at| format!("something else about {at}")));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    // The three copies are the strongest.
    let active = whole(&texts[..8], |at| 9.0 - at as f32);
    let evidence = Evidence {
        active,
        ..Evidence::default()
    };
    let found = named(evidence, &texts, None).name();
    assert_eq!(found.as_deref(), Some("teapot"));
}

#[test]
fn a_phrase_of_the_strongest_documents_alone_is_none() {
    // Of 40 documents the 8 strongest, a fifth, hold "harbour"; every second one holds "bridge".
    let texts: Vec<String> = (0..400)
        .map(|at| match at {
            0..8 => format!("harbour bridge and word{at} plus other{at}"),
            8..40 if at % 2 == 0 => format!("bridge over word{at} plus other{at}"),
            _ => format!("word{at} plus other{at} of thing{at}"),
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let evidence = Evidence {
        active: whole(&texts[..40], |at| 50.0 - at as f32),
        ..Evidence::default()
    };
    let found = named(evidence, &texts, None).name();
    assert_eq!(found.as_deref(), Some("bridge"));
}

#[test]
fn what_cannot_be_named_says_why() {
    let texts: Vec<String> = (0..200)
        .map(|at| match at {
            0..20 => format!("long{at} bridge, place{at} and thing{at}"),
            _ => format!("else{at} about other{at} things{at}"),
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let evidence = |checked: &[(&'static str, bool)], share| Evidence {
        active: whole(&texts[..20], |_| 1.0),
        checks: checked
            .iter()
            .map(|(text, active)| (Passage::whole(text), f32::from(u8::from(*active))))
            .collect(),
        share,
        ..Evidence::default()
    };
    let good = [[("a bridge", true); 5], [("a road", false); 5]].concat();
    let bad = [[("a road", true); 5], [("a bridge", false); 5]].concat();
    assert_eq!(
        named(evidence(&good, 0.1), &texts, None),
        Naming::Name("bridge".to_owned())
    );
    for (checked, share, expected) in [(&good, 0.2, "too common"), (&bad, 0.1, "no phrase tells")] {
        let Naming::None(why) = named(evidence(checked, share), &texts, None) else {
            panic!("{expected}");
        };
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn words_where_it_fires_come_before_words_around() {
    let texts: Vec<String> = (0..300)
        .map(|at| match at {
            0..12 => {
                format!("minister number{at} talked for{at} a{at} good{at} while on taxes")
            }
            _ => format!("else{at} about other{at} things{at}"),
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for word in ["minister", "taxes"] {
        let active = texts[..12].iter().map(|text| {
            let at = text.find(word).unwrap();
            (Passage::around(text, Some(at..at + word.len())), 1.0)
        });
        let evidence = Evidence {
            active: active.collect(),
            ..Evidence::default()
        };
        let found = named(evidence, &texts, None).name().unwrap();
        assert_eq!(found.split(", ").next(), Some(word), "{found}");
    }
}

#[test]
fn z_scores_follow_the_formula() {
    // Computed by hand: alpha = 20 * 10 / 1000 = .2.
    let inside: f64 = (8.2_f64 / (10.0 + 20.0 - 8.2)).ln();
    let outside: f64 = (10.2_f64 / (1020.0 - 10.2)).ln();
    let expected = (inside - outside) / (1.0 / 8.2_f64 + 1.0 / 10.2).sqrt();
    let found = z_score(8.0, 10.0, 10.0, 1000.0, 20.0);
    assert!((found - expected).abs() < 1e-9);
}
