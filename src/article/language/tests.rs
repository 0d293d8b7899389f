use super::*;

const SERAJI: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/segment_seraji_dev.txt"));

fn all_are(language: Language, texts: &[&str]) {
    for text in texts {
        assert_eq!(detect(text), language, "{text}");
    }
}

#[test]
fn persian() {
    all_are(
        Language::Persian,
        &[
            "سلام",
            "من خوبم",
            "کتاب علی کجاست؟",
            "كتاب علي كجاست؟ نمي‌دانم.",
            "رئيس جمهور ايران وارد مينسك شد",
            "حمله به اوکراین",
            "المپیک پاریس آغاز شد",
            "الهام علی‌اف به تهران رفت",
            "آیت‌الله العظمی سیستانی بیانیه داد",
            "پیامبر فرمود: «إنما الأعمال بالنيات» و این حدیث مشهور است.",
            "حزب‌الله لبنان",
            "د. علی شریعتی",
            "۱۵ دی",
            "ده نفر",
            "کی می‌رود؟",
            "به‌ عنوان نمونه",
            "پختن ته‌دیگ",
            "الان",
            "تأکید مسئولان بر رأی مردم",
            "مسألة مهم",
            "دائرة المعارف فارسی",
            "السلام علیکم، حال شما چطور است؟",
            "ان شاء الله می‌آید",
            "بسم الله الرحمن الرحیم",
            "انالله و انا الیه راجعون؛ استاد درگذشت",
            "عبدالناصر و السادات در قاهره دیدار کردند.",
            "شبکه الجزیره گزارش داد.",
            "گوشی iPhone 15 Pro Max آمد",
            "دانشگاه University of California Berkeley در آمریکا است",
            "این خانە از آن من است و آن خانە از آن تو است.",
            "رئیس پوهنتون کابل در بارهٔ زبان پښتو سخن گفت.",
        ],
    );
}

#[test]
fn arabic() {
    all_are(
        Language::Arabic,
        &[
            "صباح الخير يا أصدقاء",
            "السلام عليكم ورحمة الله",
            "هذا كتاب جديد",
            "أين المدرسة؟",
            "ذهب الولد إلى المدرسة في الصباح.",
            "قال الرئيس إن الحكومة سوف تعمل على حل المشكلة.",
            "أعلنت وزارة الخارجية الإيرانية أن الوفد سيصل غدا إلى طهران.",
            "القدس عاصمة فلسطين",
            "الحمد لله رب العالمين",
            "بِسْمِ اللَّهِ الرَّحْمَٰنِ الرَّحِيمِ",
            "كيف حالك اليوم؟",
            "لا أعرف ماذا أفعل",
        ],
    );
}

#[test]
fn pashto() {
    all_are(
        Language::Pashto,
        &[
            "زه ښه یم",
            "ستاسو نوم څه دی؟",
            "دا کتاب زما دی",
            "د افغانستان ولسمشر نن کابل ته راغی.",
            "هغه په کور کې ناست دی.",
            "پښتو زما مورنۍ ژبه ده.",
            "موږ باید د سولې لپاره کار وکړو.",
            "د پوهنې وزارت وایي چې ښوونځي پرانیستل شوي دي.",
            "مننه، خدای پامان ښاغلیه",
        ],
    );
}

#[test]
fn urdu() {
    all_are(
        Language::Urdu,
        &[
            "شکریہ",
            "آپ کیسے ہیں؟",
            "یہ کتاب اچھی ہے",
            "پاکستان زندہ باد",
            "میں کل لاہور جاؤں گا۔",
            "وزیر اعظم نے کہا کہ حکومت عوام کے ساتھ ہے۔",
            "ایران اور پاکستان کے درمیان تجارت بڑھ رہی ہے۔",
            "مجھے نہیں معلوم",
            "بارش کی وجہ سے سڑکیں بند ہیں۔",
        ],
    );
}

#[test]
fn sorani() {
    all_are(
        Language::Sorani,
        &[
            "سوپاس بۆ تۆ",
            "چۆنیت؟",
            "من باشم، تۆ چۆنیت؟",
            "ئەم کتێبە هی منە.",
            "کوردستان نیشتمانی کوردانە.",
            "سەرۆکی هەرێم لەگەڵ وەزیری دەرەوە کۆبووەوە.",
            "ئەو لە هەولێر دەژی.",
            "بارودۆخی ئابووری خراپە.",
            "ئه‌و له‌ هه‌ولێر ده‌ژی.",
        ],
    );
}

#[test]
fn latin_and_other_scripts() {
    all_are(
        Language::Latin,
        &[
            "Hello, world",
            "Guten Morgen, schöne Welt!",
            "https://example.com/index.html",
            "Merhaba dünya, nasılsınız?",
            "Xin chào thế giới",
            "ok",
            "The word سلام means hello in the Persian language",
        ],
    );
    all_are(
        Language::Other,
        &[
            "Привет, мир",
            "你好，世界",
            "こんにちは世界",
            "안녕하세요",
            "Γειά σου Κόσμε",
            "שלום עולם",
            "नमस्ते दुनिया",
            "Салом, дунё! Ман тоҷикам",
            "ياخشىمۇسىز، بۇ ئۇيغۇر تىلى",
        ],
    );
}

#[test]
fn too_little_to_tell() {
    all_are(
        Language::Undetermined,
        &["", "   ", "۱۲۳۴", "1,234.50", "؟!…", "😂🌍", "\u{200F}\u{200C}", "۱۴۰۴/۵/۲۹", "م"],
    );
}

#[test]
fn no_false_alarm_on_running_text_or_its_beginnings() {
    let typed_in_arabic = SERAJI.replace('ی', "ي").replace('ک', "ك");
    for line in SERAJI.lines().chain(typed_in_arabic.lines()) {
        assert_eq!(detect(line), Language::Persian, "{line}");
        for words in 1..6 {
            let beginning: Vec<_> = line.split(' ').take(words).collect();
            let found = detect(&beginning.join(" "));
            assert!(
                matches!(found, Language::Persian | Language::Latin | Language::Undetermined),
                "{found:?}: {beginning:?}"
            );
        }
    }
}
