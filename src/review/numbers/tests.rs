use proptest::prelude::*;

use super::numbers_differ;

#[test]
fn amounts_in_other_clothes() {
    all_agree(&[
        // Digits of three kinds, separators.
        ("۱۲ نفر کشته شدند.", "12 people were killed."),
        ("١٢ نفر کشته شدند.", "12 people were killed."),
        ("۱۲٬۵۰۰ تومان", "12,500 tomans"),
        ("۱۲،۵۰۰ تومان", "12500 tomans"),
        ("۱۲.۵۰۰ تومان", "12,500 tomans"),
        ("۱۲۵۰۰ تومان", "12 500 tomans"),
        ("۲٫۵ درصد", "2.5 percent"),
        ("۲/۵ درصد", "2.5%"),
        ("۲.۵ درصد", "2.5 per cent"),
        ("۱٬۲۳۴٫۵ متر", "1,234.5 meters"),
        ("۰٫۵ درصد", ".5 percent"),
        ("٪۸۸ آرا", "88% of the votes"),
        ("\u{200F}۱۲\u{200F} نفر", "12 people"),
        ("شماره حساب ۱۲۳۴۵۶۷۸۹۰۱۲۳۴۵۶۷۸۹۰۱۲۳۴۵۶۷۸۹۰", "Account number 123456789012345678901234567890"),
        // Scales.
        ("قیمت هر سکه به ۱۲۰ میلیون ریال رسید.", "The price of each coin reached 120 million rials."),
        ("۱۲۰میلیون ریال", "120,000,000 rials"),
        ("۱٫۵ میلیارد دلار", "$1.5bn"),
        ("۱٫۵ میلیارد دلار", "1,500 million dollars"),
        ("۱/۵ میلیون نفر", "1.5m people"),
        ("۱۰هزار نفر", "10,000 people"),
        ("۱۰ هزار نفر", "10K people"),
        ("۱۰ هزار نفر", "ten thousand people"),
        ("۱۰۰ متر", "100 m"),
        ("۱۰۰ هزار میلیارد تومان", "100 trillion tomans"),
        ("۲ میلیون و ۵۰۰ هزار نفر", "2.5 million people"),
        ("۲ میلیون و ۵۰۰ هزار نفر", "2 million, 500 thousand people"),
        ("۲ هزار و ۵۰۰ نفر", "2,500 people"),
        ("هزار و ۲۰۰ نفر", "1,200 people"),
        ("۳ و نیم میلیون نفر", "3.5 million people"),
        ("۳ و نیم میلیون نفر", "three and a half million people"),
        ("۲ تا ۳ میلیون نفر", "2 million to 3 million people"),
        ("بین ۲ تا ۳ میلیون نفر", "between 2 and 3 million people"),
        ("۱ میلیون نفر", "a million people"),
        ("۱۰۰ نفر", "a hundred people"),
    ]);
}

#[test]
fn words_and_dates_in_other_clothes() {
    all_agree(&[
        // Words in English.
        ("۳ نفر آمدند.", "Three people came."),
        ("۲ بار", "twice"),
        ("۲۱ام", "the twenty-first"),
        ("نفر ۳م", "the third one"),
        ("۱۲۵ نفر", "one hundred and twenty-five people"),
        ("۱۲ تخم‌مرغ", "a dozen eggs"),
        ("۲۴ تخم‌مرغ", "two dozen eggs"),
        ("۱۰ سال گذشته", "the past decade"),
        ("۲۰ سال گذشته", "the past two decades"),
        ("۲ دهه گذشته", "the past 20 years"),
        ("۱ نفر کشته شد.", "A person was killed."),
        ("۵۰ درصد مردم", "half of the people"),
        ("۱/۲ مردم", "half of the people"),
        ("لویی ۱۴", "Louis XIV"),
        ("صفر تا ۰", "from zero to zero"),
        // Words in Persian.
        ("سه نفر آمدند.", "3 people came."),
        ("بیست و یک نفر آمدند.", "21 people came."),
        ("هزار و سیصد و هشتاد و چهار", "1384"),
        ("یک و نیم میلیارد دلار", "$1.5 billion"),
        ("قرن نوزدهم", "the 19th century"),
        ("سی‌امین سالگرد", "the 30th anniversary"),
        ("دوازده‌ساله", "12 years old"),
        ("دوازدهساله", "12 years old"),
        ("دوهزار نفر", "2,000 people"),
        ("نیمی از مردم", "50% of the people"),
        ("دو دهه", "20 years"),
        ("هزاران نفر", "1,000s of people"),
        // Times, dates, years, ranges.
        ("جلسه ساعت ۱۲:۳۰ آغاز می‌شود.", "The meeting starts at 12:30."),
        ("ساعت ۱۱:۰۰", "at 11 a.m."),
        ("ساعت ۱۱", "at 11:00"),
        ("ساعت ۱۴:۳۰", "at 2:30 p.m."),
        ("ساعت ۲ بعدازظهر", "at 14:00"),
        ("ساعت ۲ بعد از ظهر", "at 2 PM"),
        ("ساعت ۹:۳۰", "at 9.30"),
        ("نشست بعدی روز ۲۹ مرداد", "The next meeting, on 29 Mordad"),
        ("دولت در سال ۱۴۰۴", "the government in 1404"),
        ("۱۴۰۴/۵/۲۹", "29 Mordad 1404"),
        ("۲۰۲۵-۰۸-۲۰", "August 20, 2025"),
        ("۱۴۰۴/۰۵/۲۹", "1404/5/29"),
        ("۱۱ سپتامبر", "9/11"),
        ("۱۵ خرداد ۱۳۴۲", "15 Khordad 1342"),
        ("ساعت ۲۰ و ۱۵ دقیقه", "at 8:15 p.m."),
        ("یک ربع و نیم ساعت", "15 minutes and 30 minutes"),
        ("۵ هزار میلیارد تومان", "5,000 billion tomans"),
        ("۷۰۰-۸۰۰ هزار نفر", "700,000 to 800,000 people"),
        ("۱.۴۰۰.۰۰۰ نفر", "1.4 million people"),
        ("نشانی 192.168.1.20", "the address 192.168.1.20"),
        ("۱. مقدمه [۲]", "1. Introduction [2]"),
        ("سال ۹۸", "the year 1398"),
        ("دهه ۶۰", "the 1960s"),
        ("دههٔ ۱۹۶۰", "the sixties"),
        ("دهه ۱۹۶۰", "the '60s"),
        ("۲۰۱۰-۲۰۱۱", "2010–11"),
        ("سال‌های ۱۳۹۸،۱۳۹۹", "the years 1398 and 1399"),
        ("نتیجه ۲ بر ۱", "a 2–1 result"),
        ("۱۵-۲۰ نفر", "15 to 20 people"),
        // Names with digits.
        ("کووید-۱۹", "COVID-19"),
        ("دی‌اکسید کربن", "CO2"),
        ("۱۰ کیلومتر مربع", "10 km2"),
        ("۱۰ m²", "10 m2"),
        ("گروه ۲۰", "the G20"),
        ("G7", "the Group of Seven (G7)"),
        ("", ""),
        ("مردم", "people"),
    ]);
}

fn all_agree(cases: &[(&str, &str)]) {
    for (source, target) in cases {
        assert!(!numbers_differ(source, target), "{source} -> {target}");
    }
}

#[test]
fn other_numbers() {
    let cases = [
        ("۱۲ نفر کشته شدند.", "People were killed."),
        ("۱۲ نفر کشته شدند.", "21 people were killed."),
        ("۱۲ نفر کشته شدند.", "120 people were killed."),
        ("۱۲ نفر کشته شدند.", "Thirteen people were killed."),
        ("مردم آمدند.", "5 people came."),
        ("سه نفر آمدند.", "5 people came."),
        ("۱۲ نفر کشته و ۱۲ نفر زخمی شدند.", "12 people were killed."),
        ("۱۲ نفر کشته شدند.", "12 people were killed and 4 injured."),
        ("۱۲۰ میلیون ریال", "120 billion rials"),
        ("۱۲۰ میلیون ریال", "120 rials"),
        ("۱۲۰ ریال", "120 million rials"),
        ("۱٫۵ میلیارد دلار", "$15 billion"),
        ("۱٫۵ میلیارد دلار", "$1.5 million"),
        ("۲ میلیون و ۵۰۰ هزار نفر", "2 million people"),
        ("۲ میلیون و ۵۰۰ هزار نفر", "2.6 million people"),
        ("۲/۵ درصد", "25 percent"),
        ("۲/۵ درصد", "2 percent"),
        ("۰٫۵ درصد", "5 percent"),
        ("۱۲٬۵۰۰ تومان", "12 tomans"),
        ("۱۲٬۵۰۰ تومان", "125,000 tomans"),
        ("جلسه ساعت ۱۲:۳۰ آغاز می‌شود.", "The meeting starts at 12."),
        ("ساعت ۱۴:۳۰", "at 3:30 p.m."),
        ("ساعت ۱۴", "at 2"),
        ("در سال ۱۴۰۴", "in 2025"),
        ("در سال ۱۴۰۴", "in 2004"),
        ("نشست بعدی روز ۲۹ مرداد", "The next meeting, on 20 August"),
        ("دهه ۱۹۶۰", "the 1970s"),
        ("دهه ۶۰", "the 1970s"),
        ("۲۰۱۰-۲۰۱۱", "2010–12"),
        ("۱۴۰۴/۵/۲۹", "29 Mehr 1404"),
        ("۱۵ تا ۲۰ نفر", "15 people"),
        ("کاغذ A4", "A5 paper"),
        ("۸۸٪", "888%"),
        ("شماره حساب ۱۲۳۴۵۶۷۸۹۰۱۲۳۴۵۶۷۸۹۰۱۲۳۴۵۶۷۸۹۰", "Account number 123456789012345678901234567891"),
    ];
    for (source, target) in cases {
        assert!(numbers_differ(source, target), "{source} -> {target}");
    }
}

proptest! {
    #[test]
    fn a_number_agrees_with_itself_and_with_no_other(number in 0_u64..10_000_000, other in 0_u64..10_000_000) {
        let persian: String =
            number.to_string().chars().filter_map(|c| char::from_u32(u32::from(c) - 0x30 + 0x6F0)).collect();
        let source = format!("شمار آنها {persian} نفر است.");
        let target = format!("Their number is {number}.");
        let changed = format!("Their number is {other}.");
        prop_assert!(!numbers_differ(&source, &target));
        prop_assert_eq!(numbers_differ(&source, &changed), number != other);
    }

    #[test]
    fn signs_between_digits_cause_no_panic(text in "[0-9۰-۹.,،/:٬٫ '’s½-]{0,40}", other in "[0-9 a-zهزارمیلیونو.:]{0,40}") {
        numbers_differ(&text, &other);
        prop_assert!(!numbers_differ(&text, &text));
    }
}
