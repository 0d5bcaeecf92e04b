"""Countries and languages as shops spell them: English, German, Dutch, French, Spanish, Portuguese."""

from __future__ import annotations

import re
import unicodedata

_NATIONS = """
AD Andorra|Andorre
AE United Arab Emirates|Vereinigte Arabische Emirate|Émirats arabes unis|Emiratos Árabes Unidos
AR Argentina|Argentinien|Argentinië|Argentine
AT Austria|Österreich|Oostenrijk|Autriche|Áustria
AU Australia|Australien|Australië|Australie|Austrália
BE Belgium|Belgien|België|Belgique|Bélgica
BG Bulgaria|Bulgarien|Bulgarije|Bulgarie|Bulgária
BR Brazil|Brasilien|Brazilië|Brésil|Brasil
CA Canada|Kanada|Canadá
CH Switzerland|Schweiz|Zwitserland|Suisse|Suiza|Suíça
CL Chile|Chili
CN China|Chine
CO Colombia|Kolumbien|Colombie|Colômbia
CY Cyprus|Zypern|Chypre|Chipre
CZ Czech Republic|Czechia|Tschechien|Tschechische Republik|Tsjechië|République tchèque|Tchéquie|Chequia|República Checa
DE Germany|Deutschland|Duitsland|Allemagne|Alemania|Alemanha
DK Denmark|Dänemark|Denemarken|Danemark|Dinamarca
DZ Algeria|Algerien|Algérie|Argelia
EE Estonia|Estland|Estonie|Estônia
EG Egypt|Ägypten|Egypte|Egipto
ES Spain|Spanien|Spanje|Espagne|España|Espanha
FI Finland|Finnland|Finlande|Finlandia|Finlândia
FR France|Frankreich|Frankrijk|Francia|França
GB United Kingdom|UK|Great Britain|Großbritannien|Vereinigtes Königreich|Verenigd Koninkrijk|Royaume-Uni|Reino Unido
GR Greece|Griechenland|Griekenland|Grèce|Grecia|Grécia
HK Hong Kong|Hongkong
HR Croatia|Kroatien|Kroatië|Croatie|Croacia|Croácia
HU Hungary|Ungarn|Hongarije|Hongrie|Hungría|Hungria
ID Indonesia|Indonesien|Indonesië|Indonésie
IE Ireland|Irland|Ierland|Irlande|Irlanda
IL Israel|Israël
IN India|Indien|Inde|Índia
IS Iceland|Island|IJsland|Islande|Islandia
IT Italy|Italien|Italië|Italie|Italia|Itália
JP Japan|Japon|Japón|Japão
KR South Korea|Südkorea|Zuid-Korea|Corée du Sud|Corea del Sur|Korea, Republic of
LI Liechtenstein
LT Lithuania|Litauen|Litouwen|Lituanie|Lituania|Lituânia
LU Luxembourg|Luxemburg|Luxemburgo
LV Latvia|Lettland|Letland|Lettonie|Letonia|Letônia
MA Morocco|Marokko|Maroc|Marruecos|Marrocos
MC Monaco|Mónaco
MT Malta|Malte
MX Mexico|Mexiko|Mexique|México
MY Malaysia|Malaisie|Malasia
NL Netherlands|The Netherlands|Holland|Niederlande|Nederland|Pays-Bas|Países Bajos|Países Baixos|Holanda
NO Norway|Norwegen|Noorwegen|Norvège|Noruega
NZ New Zealand|Neuseeland|Nieuw-Zeeland|Nouvelle-Zélande|Nueva Zelanda
PE Peru|Pérou|Perú
PH Philippines|Philippinen|Filipijnen|Filipinas
PK Pakistan
PL Poland|Polen|Pologne|Polonia|Polônia
PT Portugal
RO Romania|Rumänien|Roemenië|Roumanie|Rumania|Romênia
RS Serbia|Serbien|Servië|Serbie
RU Russia|Russian Federation|Russland|Rusland|Russie|Rusia|Rússia
SA Saudi Arabia|Saudi-Arabien|Saoedi-Arabië|Arabie saoudite|Arabia Saudita
SE Sweden|Schweden|Zweden|Suède|Suecia|Suécia
SG Singapore|Singapur|Singapour
SI Slovenia|Slowenien|Slovenië|Slovénie|Eslovenia
SK Slovakia|Slowakei|Slowakije|Slovaquie|Eslovaquia
TH Thailand|Thaïlande|Tailandia
TN Tunisia|Tunesien|Tunesië|Tunisie|Túnez
TR Turkey|Türkei|Turkije|Turquie|Turquía|Türkiye
TW Taiwan
UA Ukraine|Oekraïne|Ucrania
US United States|United States of America|USA|U.S.A.|Vereinigte Staaten|Verenigde Staten|États-Unis|Estados Unidos
UY Uruguay
VE Venezuela
VN Vietnam|Viet Nam
ZA South Africa|Südafrika|Zuid-Afrika|Afrique du Sud|Sudáfrica
"""
_TONGUES = """
de german|deutsch|duits|allemand|aleman|alemao
en english|englisch|engels|anglais|ingles
es spanish|spanisch|spaans|espagnol|espanol|espanhol|castellano
fr french|franzoesisch|frans|francais|frances
it italian|italienisch|italiaans|italien|italiano
nl dutch|niederlaendisch|nederlands|neerlandais|holandes
pl polish|polnisch|pools|polonais|polaco|polski
pt portuguese|portugiesisch|portugees|portugais|portugues
"""
_CODE = re.compile(r"[A-Za-z]{2}")
_TAG = re.compile(r"[A-Za-z]{2}([-_][A-Za-z]{2})?")
_MARKS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def plain(name: str) -> str:
    """A word in the form in which words are compared: lower case, without separators and accents, ä as ae."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", name).lower().translate(_MARKS))
    return re.sub(r"[^a-z0-9]", "", folded)


def _table(text: str) -> dict[str, str]:
    known = {}
    for line in text.strip().splitlines():
        code, _, names = line.partition(" ")
        known.update({plain(name): code for name in names.split("|")})
    return known


_COUNTRIES, _LANGUAGES = _table(_NATIONS), _table(_TONGUES)


def is_code(field: str, word: str) -> bool:
    """Whether this is an ISO 3166 code, or a language tag, by its form."""
    return (_TAG if field == "language" else _CODE).fullmatch(word) is not None and plain(word) != "uk"


def meant(field: str, word: str) -> str | None:
    """The country's ISO code or the language's tag that a word means; None for an unknown or ambiguous word."""
    if is_code(field, word):
        return word.upper() if field == "country" else word.lower() if len(word) == 2 else word
    return (_LANGUAGES if field == "language" else _COUNTRIES).get(plain(word))
