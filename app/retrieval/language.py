"""Detection of a text's language, by its script and its function words.

No library is used: the existing ones need numpy (70 MB a process) or their own model, and function words suffice to
choose a stemmer for a text of a chunk's length. For a text without any, the caller's hint is used.
"""

import re
from collections import Counter

# ISO 639-1 code to the name of its Snowball stemmer.
STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish",
    "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian",
    "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip

# Words with a grammatical function only. They identify the language, and are not indexed in texts of that language.
FUNCTION_WORDS: dict[str, frozenset[str]] = {
    code: frozenset(words.split())
    for code, words in {
        "en": "a about after all also an and any are as at be because been before being between but by can could did "
        "do does doing during each every for from had has have he her him his how i if in into is it its just many may "
        "me might more most much must my no nor not of on one only or other our out over own same shall she should so "
        "some such than that the their them then there these they this those through to too under until up us very was "
        "we were what when where whether which while who whom whose why will with within without would you your",
        "de": "aber als am an auch auf aus bei bin bis da damit das dass dem den der des die dies diese dieser dieses "
        "doch du durch ein eine einem einen einer eines er es für hat haben ich ihr im in ist kann mehr mein mit nach "
        "nicht noch nur oder ob ohne sein sich sie sind so über um und uns unter vom von vor war waren was welche "
        "welcher welches wenn wer werden wie wird wir wo wurde wurden zu zum zur zwischen",
        "fr": "à au aussi aux avec ce ces cette comme comment dans de des dont du elle elles en est et été être il ils "
        "je la le les leur leurs lui mais même ne nous on ont ou où par pas plus pour qu quand que quel quelle quelles "
        "quels qui sa sans se ses si son sont sur un une vous était",
        "es": "a al como con cómo cuando cuál cuáles cuándo cuánto cuántos de del desde donde dónde el ella en entre "
        "era es esta este esto está están fue fueron ha hasta hay la las le lo los más muy no nos o para pero por "
        "porque que qué quien quién se ser si sin sobre su sus también tiene un una uno unos y ya",
        "pt": "a ao aos as até com como da das de do dos e ela elas ele eles em entre era essa esse esta este está eu "
        "foi foram há isso já mais mas muito na nas no nos não o onde os ou para pela pelas pelo pelos por qual quais "
        "quando que quem se sem ser seu seus são sua suas também tem um uma",
        "it": "a ai al alla alle anche che chi ci come con cosa da dal dalla dei del della delle dello di dove e è "
        "ed era fra gli ha hanno i il in io la le lo loro ma nel nella nelle non o per perché più qual quale quali "
        "quando questa questo se si sia sono su sua sulla suo tra un una uno",
        "nl": "aan als ben bij daar dan dat de deze die dit door een en er geen had heb hebben heeft het hij hoe hun "
        "ik in is je kan maar meer met mijn naar niet nog of om onder ons ook op over te toen tot uit van veel voor "
        "waar wanneer waren wat we welke werd wie wij worden wordt ze zich zij zijn zo zonder zou",
        "sv": "alla än är att av av då de dem den denna det detta dig din du efter ej eller en ett för från har hon "
        "han hade hur i icke inte jag kan med men mer mot när någon något och om på sig sin ska skulle som till "
        "under upp ut vad var vara vi vid vilka vilken vilket",
        "da": "af alle at blev blive da de dem den denne der det dette dig din du efter eller en er et for fra ham "
        "han har havde hun hvad hvem hvilken hvilke hvor hvordan hvornår i ikke jeg kan man med meget men mod når "
        "og om op på sig skal som til ud under var ved vi vil være",
        "no": "alle at av ble bli da de dem den denne der det dette du eller en er et etter for fra ha hadde han har "
        "hun hva hvem hvilken hvilke hvor hvordan hvorfor i ikke jeg kan man med meg men mot når og også om opp på "
        "seg skal som til ut var ved vi vil være noe",
        "fi": "ei että eli en hän he ja jo jos joka jotka kanssa kuin kuinka kun me mikä milloin missä mitä mukaan "
        "mutta myös niin ne nyt oli olivat ollut olla on ovat sekä se sen siitä tai tämä vain voi",
        "hu": "a az és egy hogy nem is van volt ez azt meg csak már de mint ki mi mit még vagy volna ha lesz hol "
        "mikor miért hogyan között után szerint minden nagyon melyik",
        "ro": "a acest această ai al ale am ar are au care ce cea cel cine când cu cum de despre din după este "
        "există fi fost iar în la mai mult nu o pe pentru prin sa sau se sunt și un unde unei unor unui",
        "pl": "a aby ale być był była było byli co czy dla do gdy gdzie i ich ile jak jako jaka jaki jakie jego jej "
        "jest jeśli już kiedy kto która które który lub ma mnie na nad nie o od oraz po pod przez przy się są ta "
        "tak to tym w we z za ze że",
        "cs": "a aby ale až bez bude být byl byla bylo byli co do i já jak jako je jeho jejich jen ještě jsem jsou "
        "k kde kdo kdy která které který má na nebo není o od po pod podle pro proč před při s se si tak také to u "
        "v ve však z za ze že",
        "tr": "bir bu da daha de değil gibi hangi için ile ise kadar kim mi mı nasıl ne neden nedir nerede o olan "
        "olarak oldu olduğu sonra şu var ve veya ya yok çok",
        "id": "ada adalah akan apa atau bagaimana bahwa dalam dan dapat dari dengan di itu ini juga kapan karena ke "
        "kepada mereka oleh pada saat saya sebagai siapa telah tidak untuk yang",
        "ca": "a al als amb aquest aquesta com d de del dels des el els en entre és i l la les més no o on per però "
        "que què qui quan quin quina s se ser són també un una va van",
    }.items()
}
_LATIN = {word: [code for code in FUNCTION_WORDS if word in FUNCTION_WORDS[code]] for code in FUNCTION_WORDS
          for word in FUNCTION_WORDS[code]}  # fmt: skip

# Scripts that few languages share, the most specific first; the share of letters decides.
_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("zh", re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("ko", re.compile("[\uac00-\ud7af\u1100-\u11ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("ta", re.compile("[\u0b80-\u0bff]")),
    ("hy", re.compile("[\u0530-\u058f]")),
)
_SERBIAN, _PERSIAN = re.compile("[ђјљњћџ]"), re.compile("[پچژگ]")
_WORD = re.compile(r"[^\W\d_]+")
_ASCII_WORD = re.compile("[a-z]+")  # the same for lower-case ASCII, twice as fast
# Characters that suffice for detection; more only take longer.
_SAMPLE = 4000


def language_detect(text: str, *, hint: str = "") -> str:
    """Return the ISO 639-1 code of the text's language, else `hint`, which may be ""."""
    sample = text[:_SAMPLE].lower()
    if not sample.isascii():
        letters = sum(map(str.isalpha, sample))
        for code, script in _SCRIPTS:
            # A third: Latin names and numbers occur in every text. A tenth of kana makes a text Japanese, not Chinese.
            if len(script.findall(sample)) * (10 if code == "ja" else 3) > letters:
                return _script_language(code, sample)
    votes: dict[str, float] = {}
    words = (_ASCII_WORD if sample.isascii() else _WORD).findall(sample)
    for word, count in Counter(words).items():
        codes = _LATIN.get(word, ())
        for code in codes:
            # A word of many languages counts less.
            votes[code] = votes.get(code, 0) + count / len(codes)
    best = max(votes, key=votes.__getitem__, default="")
    # "a" alone is a word of nine languages.
    if votes.get(best, 0) < 0.4:
        return hint
    # Titles and tables contain a stray function word of another language; overruling the hint needs more.
    if hint and votes.get(hint, 0) + 1 > votes[best]:
        return hint
    return best


def _script_language(code: str, sample: str) -> str:
    if code == "ru" and len(_SERBIAN.findall(sample)) * 50 > len(sample):
        return "sr"
    if code == "ar" and len(_PERSIAN.findall(sample)) * 50 > len(sample):
        return "fa"
    return code
