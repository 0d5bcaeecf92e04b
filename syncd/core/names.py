"""The distinguishing words of a name: those that are left without legal forms, trades and stop words.

    agree       the same distinguishing words                        "Kranbau Oster GmbH", "OSTER Kranbau"
    None        says nothing: one side has more words than the other  "Oster", "Oster Hafenlogistik"
    differ      no word in common                                    "Elektro Vogel", "Elektro Klein"
    sibling     a word in common, and each side has one of its own,   "Anna Weber", "Bernd Weber"
                or another trade, legal form, branch or generation    "Weber GmbH", "Weber AG"

German, Dutch, French, Spanish, Portuguese and English, as they stand on invoices.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

Spellings = frozenset[str]


class Likeness(StrEnum):
    """What two names say about each other."""

    AGREE = "agree"
    DIFFER = "differ"
    SIBLING = "sibling"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LEGAL_FORMS: Mapping[str, str] = {
    spelling: form
    for form, spellings in {
        "gmbh": "gmbh mbh",
        "ag": "ag aktiengesellschaft",
        "kg": "kg kommanditgesellschaft",
        "kgaa": "kgaa",
        "ohg": "ohg",
        "gbr": "gbr",
        "ug": "ug haftungsbeschrankt haftungsbeschraenkt unternehmergesellschaft",
        "ek": "ek ekfr ekfm einzelunternehmen",
        "ev": "ev",
        "eg": "eg genossenschaft",
        "se": "se",
        "bv": "bv besloten",
        "nv": "nv",
        "vof": "vof",
        "stichting": "stichting",
        "sarl": "sarl",
        "sas": "sas sasu",
        "eurl": "eurl",
        "sa": "sa",
        "sl": "sl slu sll",
        "srl": "srl",
        "lda": "lda limitada unipessoal",
        "ltd": "ltd limited ltda",
        "plc": "plc",
        "llc": "llc",
        "llp": "llp",
        "inc": "inc incorporated",
        "corp": "corp corporation",
    }.items()
    for spelling in spellings.split()
}
_STOP = _words("""
    und the and of for et de du des le la les los las el da do dos das di van von vom zu zum zur der die den het
    een ten ter te op en an am im in bei fur fuer aux au del al co cie cia comp company compagnie compania
    companhia firma fa fam familie family famille familia firm maison casa casas haus gesellschaft mit unternehmen
    sohne soehne sohn sons son zonen zoon fils filles hijos hijo filhos filho irmaos irmao hermanos hermano freres
    frere gebruder gebrueder gebr gebroeders geschwister brothers bros sisters sister partner partners partenaires
    inhaber inh inhaberin eigenaar proprietaire herr herrn frau mr mrs ms miss mister madame mme monsieur mlle
    senor senora sr sra srta dhr mevr mw heer mevrouw senhor senhora dr drs prof professor doktor docteur doctor
    dipl ing med dott mag msc bsc mba phd
""")
_TRADES = _words("""
    elektro elektrotechnik elektrik elektriker electro electric electrical electrique electricite electricidad
    electricidade hotel hotels hostel hostal pension gasthof gasthaus gaststatte gaststaette wirtshaus restaurant
    restaurante ristorante pizzeria trattoria bistro brasserie bar cafe kaffee konditorei backerei baeckerei
    bakkerij boulangerie patisserie panaderia pasteleria padaria pastelaria bakery metzgerei fleischerei
    schlachterei slagerij boucherie charcuterie carniceria talho butcher butchers apotheke apotheek pharmacie
    farmacia pharmacy autohaus auto autos automobile automobiles automoviles automoveis garage garaje garagem
    werkstatt kfz taxi reisen reiseburo reisebuero reizen voyages viajes viagens travel tours transport transporte
    transportes transports spedition logistik logistiek logistique logistica logistics bau bouw bouwbedrijf
    construction construcciones construcoes constructora building builders hochbau tiefbau dachdecker dachdeckerei
    zimmerei tischlerei schreinerei timmerman menuiserie charpente carpinteria carpintaria maler malerbetrieb
    schilder schilderwerken peinture pinturas painting sanitar sanitaer heizung heizungsbau loodgieter plomberie
    fontaneria canalizacao plumbing klempnerei gartenbau garten hovenier jardin jardineria jardinagem gardening
    landscaping blumen bloemen fleurs flores flowers florist friseur friseursalon salon kapper kapsalon coiffure
    coiffeur peluqueria cabeleireiro hairdresser barber optik optiek optique optica optics optiker zahnarzt
    zahnarztpraxis arztpraxis praxis tandarts dentiste dentista dental clinic clinica clinique kanzlei rechtsanwalt
    rechtsanwalte rechtsanwaelte advocaat advocaten avocat avocats abogado abogados advogado advogados solicitors
    lawyers steuerberater steuerberatung boekhouder comptable notar notaris notaire architekt architekten architect
    architecten architecte architectes arquitecto arquitectos immobilien makler makelaar makelaardij immobilier
    inmobiliaria imobiliaria estate agency agentur agence agencia agentschap handel handels handelsonderneming
    vertrieb import export trading trade commerce comercio comercial grosshandel groothandel wholesale markt
    supermarkt supermarche supermercado market store shop laden winkel boutique tienda loja magasin moden mode
    fashion schuhe schoenen chaussures zapatos shoes bucher buecher buchhandlung boekhandel librairie libreria
    livraria books bookshop druckerei druck drukkerij imprimerie imprenta grafica print printing metallbau metall
    metaal metal metales maschinenbau maschinen machines maquinas machinery technik techniek technique tecnica
    technology technologies tech software systems systeme system systemen it edv consulting consultants beratung
    advies conseil consultoria service services dienste diensten servicios servicos solutions design media werbung
    reclame publicite publicidad group gruppe groep groupe grupo holding international industrie industries
    industrias industria kranbau weingut winery bodega domaine quinta hof bauernhof boerderij ferme finca fazenda
    farm verein club schule school ecole escuela escola stiftung verlag
""")
# Words that name one of several: a branch, a generation, a department. They tell two customers apart even on one side.
_WHICH = _words("""
    filiale filialen niederlassung zweigstelle zweigniederlassung standort geschaftsstelle branch filiaal vestiging
    succursale agence sucursal filial delegacion dependencia jun junior jr sen senior pere mere hijo filho neto ii
    iii iv beteiligungs beteiligung beteiligungen verwaltungs verwaltung holding besitz vermogensverwaltung
    abteilung department departamento departement einkauf verkauf buchhaltung
""")
_DOTTED = re.compile(r"\b(?:[^\W\d_]\s?\.\s?){2,}(?:[^\W\d_]\b)?")
_WORD = re.compile(r"[^\W_]+")
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "œ": "oe", "ł": "l", "ı": "i"}
)
_SHORT = str.maketrans({"ß": "ss", "æ": "a", "ø": "o", "œ": "o", "ł": "l", "ı": "i"})


@dataclass(frozen=True, slots=True)
class Name:
    """A name taken apart. `words` distinguish; each with the spellings that others may use ("mueller", "muller").

    `whole` holds everything, for names that consist of nothing but trades: "Hotel Restaurant Café".
    """

    words: frozenset[Spellings]
    legal: frozenset[str]
    trades: frozenset[str]
    which: frozenset[str]
    whole: frozenset[str]


@lru_cache(maxsize=4096)
def apart(name: str) -> Name:
    """Take a name apart."""
    legal, trades, which, words, whole = set[str](), set[str](), set[str](), set[Spellings](), set[str]()
    for word in _WORD.findall(_DOTTED.sub(_joined, unicodedata.normalize("NFKC", name).lower())):
        forms = frozenset({_long(word), _folded(word)})
        whole.add(_long(word))
        if forms & _LEGAL_FORMS.keys():
            legal.add(next(_LEGAL_FORMS[form] for form in sorted(forms & _LEGAL_FORMS.keys())))
        elif forms & _WHICH:
            which |= {min(forms)}
        elif forms & _TRADES:
            trades |= {min(forms)}
        elif not forms & _STOP:
            words.add(forms)
    return Name(frozenset(words), frozenset(legal), frozenset(trades), frozenset(which), frozenset(whole))


def alike(one: str, other: str) -> Likeness | None:
    """What two names say about each other; None where they neither agree nor contradict."""
    mine, theirs = apart(one), apart(other)
    if not mine.words or not theirs.words:
        return Likeness.AGREE if mine.whole and mine.whole == theirs.whole else None
    more_here, more_there = _without(mine.words, theirs.words), _without(theirs.words, mine.words)
    if len(more_here) == len(mine.words):
        return Likeness.DIFFER
    if mine.which != theirs.which or _another(mine.legal, theirs.legal):
        return Likeness.SIBLING
    if more_here and more_there:
        return None if _initials(more_here, more_there) else Likeness.SIBLING
    if more_here or more_there:
        return None
    return Likeness.SIBLING if _apart(mine.trades, theirs.trades) else Likeness.AGREE


def _without(words: frozenset[Spellings], others: frozenset[Spellings]) -> list[Spellings]:
    """The words that the other side does not have."""
    return [word for word in words if not any(word & other for other in others)]


def _another(mine: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether both sides name a legal form, and not the same: a GmbH and the KG that it leads are two customers."""
    return bool(mine and theirs) and mine != theirs


def _apart(mine: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether both sides name a trade, and none that are near to each other, as "Elektro" is to "Elektrotechnik"."""
    near = any(one.startswith(two[:5]) or two.startswith(one[:5]) for one in mine for two in theirs)
    return bool(mine and theirs) and not near


def _initials(mine: list[Spellings], theirs: list[Spellings]) -> bool:
    """Whether the remaining words may be a word and its initial, which prove nothing: "A. Weber", "Anna Weber"."""
    short, long = sorted((max(mine[0], key=len), max(theirs[0], key=len)), key=len)
    return len(mine) == len(theirs) == len(short) == 1 and len(long) > 1 and long.startswith(short)


def _joined(found: re.Match[str]) -> str:
    """ "G.m.b.H.", "B. V." and "e.K." are one word."""
    return f" {re.sub(r'[^a-z]', '', _folded(found[0]))} "


def _long(word: str) -> str:
    return _folded(word.translate(_UMLAUTS))


def _folded(word: str) -> str:
    """The word without accents."""
    plain = unicodedata.normalize("NFKD", word.translate(_SHORT))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
