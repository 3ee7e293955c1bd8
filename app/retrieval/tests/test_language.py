import pytest

from app.retrieval.language import FUNCTION_WORDS, STEMMERS, language_detect

TEXTS = {
    "en": "The holiday of an employee is requested from the line manager at least two weeks before it begins.",
    "de": "Der Urlaub ist mindestens zwei Wochen vor dem Beginn bei der Führungskraft zu beantragen.",
    "fr": "Les congés sont demandés au responsable au moins deux semaines avant leur début.",
    "es": "Las vacaciones se solicitan al responsable al menos dos semanas antes de su inicio.",
    "pt": "As férias são pedidas ao responsável pelo menos duas semanas antes do seu início.",
    "it": "Le ferie sono richieste al responsabile almeno due settimane prima del loro inizio.",
    "nl": "De vakantie wordt ten minste twee weken voor het begin bij de leidinggevende aangevraagd.",
    "sv": "Semestern ska begäras av den närmaste chefen minst två veckor innan den börjar, och det är viktigt.",
    "fi": "Loma on pyydettävä esimieheltä vähintään kaksi viikkoa ennen kuin se alkaa, ja se on tärkeää.",
    "pl": "O urlop należy prosić przełożonego co najmniej na dwa tygodnie przed jego rozpoczęciem.",
    "tr": "İzin, başlangıcından en az iki hafta önce yöneticiden istenir ve bu çok önemli bir kuraldır.",
    "ru": "Отпуск согласуется с руководителем не позднее чем за две недели до его начала.",
    "el": "Η άδεια ζητείται από τον προϊστάμενο τουλάχιστον δύο εβδομάδες πριν από την έναρξή της.",
    "ar": "تطلب الإجازة من المدير قبل أسبوعين على الأقل من بدايتها.",
    "hi": "छुट्टी शुरू होने से कम से कम दो सप्ताह पहले प्रबंधक से माँगी जाती है।",
    "zh": "员工应至少提前两周向主管申请休假。",
    "ja": "休暇は開始の少なくとも二週間前に上司に申請してください。",
    "ko": "휴가는 시작하기 최소 이 주 전에 상사에게 신청해야 합니다.",
    "th": "ต้องขอลาพักร้อนกับหัวหน้าอย่างน้อยสองสัปดาห์ก่อนเริ่ม",
}


def test_a_sentence_tells_its_language(subtests: pytest.Subtests) -> None:
    for language in TEXTS:
        with subtests.test(language=language):
            assert language_detect(TEXTS[language]) == language


def test_a_text_without_function_words_tells_nothing_and_the_hint_is_taken() -> None:
    assert language_detect("Toner 4711 Refdesk") == ""
    assert language_detect("Toner 4711 Refdesk", hint="de") == "de"
    assert language_detect("") == ""


def test_a_single_foreign_word_does_not_overrule_the_hint() -> None:
    assert language_detect("Rechnung Cloud Service for Teams", hint="de") == "de"
    assert language_detect(TEXTS["en"], hint="de") == "en"


def test_latin_names_in_chinese_text_leave_it_chinese() -> None:
    assert language_detect("使用 PostgreSQL 数据库存储向量") == "zh"


def test_every_language_with_function_words_has_a_stemmer() -> None:
    assert set(FUNCTION_WORDS) <= set(STEMMERS)
