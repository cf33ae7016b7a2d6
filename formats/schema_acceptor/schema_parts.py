"""A schema as XSD means it: its files brought together, its types with what they inherit.

Nothing here is numbered or packed: that is `tables`. A part that is not handled raises `Unsupported` when it is asked for, so that the
rest of the schema remains usable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transvase.formats.schema_acceptor.automaton import EMPTY, NEVER, Alt, Expr, In, Rep, Seq
from transvase.formats.schema_acceptor.simple_types import Language, builtin, list_of, restricted, union_of
from transvase.formats.schema_acceptor.unsupported import Unsupported

XSD = "http://www.w3.org/2001/XMLSchema"
Key = tuple[str, str]
"""Namespace ("" for none) and local name."""


@dataclass(eq=False)
class Document:
    """One file read for one target namespace; a file without one is read anew for each that includes it."""

    target: str
    adopted: bool
    elements_qualified: bool
    attributes_qualified: bool
    blocks: bool


@dataclass(eq=False)
class Node:
    """An element of a schema, annotations left out."""

    kind: str
    values: dict[str, str]
    parts: list[Node]
    scope: dict[str | None, str]
    document: Document

    def only(self, *kinds: str) -> Node | None:
        """Its first part of one of these kinds."""
        return next((p for p in self.parts if p.kind in kinds), None)


TypeRef = Key | Node
"""A named type, or the one written in place."""


@dataclass(frozen=True)
class Child:
    """A symbol of content models: an element by its name, and its type."""

    name: Key
    type: TypeRef


@dataclass(frozen=True)
class Use:
    """An attribute that a type knows; the language is None when it is not handled."""

    language: Language | None
    required: bool


@dataclass(frozen=True)
class Complex:
    """What a complex type allows: `text` is its language when its content is simple, `model` is None when there is no content."""

    mixed: bool
    model: Expr | None
    text: Language | None
    uses: dict[Key, Use]
    abstract: bool


@dataclass
class Schema:
    """All the components of a schema by kind and name. `read` fills it."""

    main: str = ""
    parts: dict[str, dict[Key, Node]] = field(default_factory=dict)
    _languages: dict[TypeRef, Language] = field(default_factory=dict)
    _complex: dict[TypeRef, Complex] = field(default_factory=dict)
    _open: set[TypeRef] = field(default_factory=set)

    # -- names ---------------------------------------------------------------------------------------------------------

    def key(self, node: Node, value: str) -> Key:
        """The name that a QName of the schema means."""
        prefix, colon, local = value.strip().rpartition(":")
        space = node.scope.get(prefix if colon else None)
        if space is None:
            if colon:
                raise Unsupported("a prefix that the schema does not declare")
            space = node.document.target if node.document.adopted else ""
        return space, local

    def find(self, kind: str, key: Key) -> Node:
        """A component; `Unsupported` when the files have none of this name."""
        node = self.parts[kind].get(key)
        if node is None:
            raise Unsupported(f"a reference to a {kind} that no file declares: {key[1]}")
        return node

    def type_node(self, ref: TypeRef) -> Node:
        """The node of a type; `Unsupported` for those of XSD itself."""
        if isinstance(ref, Node):
            return ref
        if ref[0] == XSD:
            raise Unsupported(f"the type xs:{ref[1]} as a node")
        return self.find("type", ref)

    # -- simple types --------------------------------------------------------------------------------------------------

    def language(self, ref: TypeRef) -> Language:
        """The values of a simple type. `Unsupported` when it is not handled, or is complex."""
        if not isinstance(ref, Node) and ref[0] == XSD:
            return builtin(ref[1])
        if ref not in self._languages:
            if ref in self._open:
                raise Unsupported("a type defined by itself")
            self._open.add(ref)
            try:
                self._languages[ref] = self._simple(self.type_node(ref))
            finally:
                self._open.discard(ref)
        return self._languages[ref]

    def _simple(self, node: Node) -> Language:
        if node.kind != "simpleType":
            raise Unsupported("a complex type where a simple one is expected")
        way = node.only("restriction", "list", "union")
        if way is None:
            raise Unsupported("a simple type without a definition")
        inline: list[TypeRef] = [p for p in way.parts if p.kind == "simpleType"]
        if way.kind == "list":
            return list_of(self.language(self._named(way, "itemType", inline)))
        if way.kind == "union":
            named: list[TypeRef] = [self.key(way, name) for name in way.values.get("memberTypes", "").split()]
            return union_of([self.language(ref) for ref in named + inline])
        return restricted(self.language(self._named(way, "base", inline)), _facets(way))

    def _named(self, node: Node, attribute: str, inline: list[TypeRef]) -> TypeRef:
        if attribute in node.values:
            return self.key(node, node.values[attribute])
        if len(inline) != 1:
            raise Unsupported("a simple type without a base")
        return inline[0]

    # -- complex types -------------------------------------------------------------------------------------------------

    def complex(self, ref: TypeRef) -> Complex:
        """What a complex type allows, what it inherits included. `Unsupported` when it is not handled."""
        if ref not in self._complex:
            if ref in self._open:
                raise Unsupported("a type defined by itself")
            self._open.add(ref)
            try:
                self._complex[ref] = self._build(self.type_node(ref))
            finally:
                self._open.discard(ref)
        return self._complex[ref]

    def _build(self, node: Node) -> Complex:
        if node.kind != "complexType":
            raise Unsupported("a simple type where a complex one is expected")
        abstract = _true(node.values.get("abstract"))
        content = node.only("complexContent", "simpleContent")
        mixed = _true(node.values.get("mixed"))
        if content is None:
            return Complex(mixed, self._model(node), None, self._uses(node, {}), abstract)
        way = content.only("extension", "restriction")
        if way is None:
            raise Unsupported("a complex type without a definition")
        base = self.key(way, way.values["base"])
        if content.kind == "simpleContent":
            if way.kind != "extension":
                raise Unsupported("a restriction of simple content")
            inherited = self._text_base(base)
            return Complex(False, None, inherited.text, self._uses(way, inherited.uses), abstract)
        if "mixed" in content.values:
            mixed = _true(content.values["mixed"])
        own = self._model(way)
        if base == (XSD, "anyType"):
            if way.kind != "restriction":
                raise Unsupported("an extension of xs:anyType")
            return Complex(mixed, own, None, self._uses(way, {}), abstract)
        parent = self.complex(base)
        if parent.text is not None:
            raise Unsupported("complex content made of simple content")
        if way.kind == "restriction":
            return Complex(mixed, own, None, self._uses(way, parent.uses, restriction=True), abstract)
        if own is None:
            return Complex(mixed or parent.mixed, parent.model, None, self._uses(way, parent.uses), abstract)
        model = own if parent.model is None else Seq((parent.model, own))
        return Complex(mixed, model, None, self._uses(way, parent.uses), abstract)

    def _text_base(self, base: Key) -> Complex:
        if base[0] != XSD and self.find("type", base).kind == "complexType":
            parent = self.complex(base)
            if parent.text is None:
                raise Unsupported("simple content made of complex content")
            return parent
        return Complex(False, None, self.language(base), {}, False)

    # -- content models ------------------------------------------------------------------------------------------------

    def _model(self, node: Node) -> Expr | None:
        part = node.only("sequence", "choice", "all", "group")
        return None if part is None else self._particle(part, 0)

    def _particle(self, node: Node, depth: int) -> Expr:
        if depth > 50:
            raise Unsupported("groups too deep")
        least = int(node.values.get("minOccurs", "1"))
        text = node.values.get("maxOccurs", "1")
        most = None if text == "unbounded" else int(text)
        if most == 0:
            return EMPTY
        expr = self._term(node, depth)
        return expr if (least, most) == (1, 1) else Rep(expr, least, most)

    def _term(self, node: Node, depth: int) -> Expr:
        if node.kind == "element":
            return self._element(node)
        if node.kind == "any":
            # What matches a wildcard is left to libxml2; what is beside it is not.
            return NEVER
        if node.kind == "group":
            group = self.find("group", self.key(node, node.values["ref"]))
            part = group.only("sequence", "choice", "all")
            if part is None:
                raise Unsupported("a group without content")
            return self._particle(part, depth + 1)
        particles = [p for p in node.parts if p.kind in ("element", "any", "group", "sequence", "choice", "all")]
        if node.kind == "sequence":
            return Seq(tuple(self._particle(p, depth + 1) for p in particles))
        if node.kind == "choice":
            return Alt(tuple(self._particle(p, depth + 1) for p in particles))
        raise Unsupported(f"a model of the kind {node.kind}")

    def _element(self, node: Node) -> Expr:
        child = self.child(node)
        return NEVER if child is None else In(frozenset((child,)))

    def child(self, node: Node) -> Child | None:
        """The symbol of an element declaration or reference; None when documents that use it are left to libxml2."""
        if "ref" in node.values:
            return self.root(self.key(node, node.values["ref"]))
        document = node.document
        qualified = node.values.get("form") == "qualified" if "form" in node.values else document.elements_qualified
        return self._declared(node, (document.target if qualified else "", node.values["name"]))

    def root(self, key: Key) -> Child | None:
        """The symbol of an element declared at the top of a file; None as for `child`."""
        return self._declared(self.find("element", key), key)

    def _declared(self, node: Node, name: Key) -> Child | None:
        special = {"fixed", "default", "block", "substitutionGroup"} & node.values.keys()
        if special or node.document.blocks or _true(node.values.get("abstract")):
            return None
        if node.only("key", "keyref", "unique"):
            return None
        inline = node.only("complexType", "simpleType")
        if inline is not None:
            return Child(name, inline)
        return Child(name, self.key(node, node.values["type"])) if "type" in node.values else None

    # -- attributes ----------------------------------------------------------------------------------------------------

    def _uses(self, node: Node, inherited: dict[Key, Use], *, restriction: bool = False) -> dict[Key, Use]:
        uses = dict(inherited)
        for part in self._attributes(node, 0):
            name, declaration = self._attribute(part)
            if part.values.get("use") == "prohibited":
                if restriction:
                    uses.pop(name, None)
                continue
            uses[name] = Use(self._value(part, declaration), part.values.get("use") == "required")
        return uses

    def _attributes(self, node: Node, depth: int) -> Iterator[Node]:
        if depth > 50:
            raise Unsupported("attribute groups too deep")
        for part in node.parts:
            if part.kind == "attribute":
                yield part
            elif part.kind == "attributeGroup":
                yield from self._attributes(self.find("attributeGroup", self.key(part, part.values["ref"])), depth + 1)

    def _attribute(self, node: Node) -> tuple[Key, Node]:
        if "ref" in node.values:
            key = self.key(node, node.values["ref"])
            return key, self.find("attribute", key)
        document = node.document
        qualified = node.values.get("form") == "qualified" if "form" in node.values else document.attributes_qualified
        return (document.target if qualified else "", node.values["name"]), node

    def _value(self, use: Node, declaration: Node) -> Language | None:
        try:
            inline = declaration.only("simpleType")
            if inline is not None:
                language = self.language(inline)
            elif "type" in declaration.values:
                language = self.language(self.key(declaration, declaration.values["type"]))
            else:
                language = builtin("anySimpleType")
            fixed = use.values.get("fixed", declaration.values.get("fixed"))
            if fixed is None:
                return language
            only = language.among([fixed])
            return only if only.finite and not only.identity else None
        except Unsupported:
            return None

    # -- derivation ----------------------------------------------------------------------------------------------------

    def bases(self) -> dict[Key, Key]:
        """The base of each named complex type that has one, those left out that may not stand for it."""
        found: dict[Key, Key] = {}
        for key, node in self.parts["type"].items():
            content = node.only("complexContent", "simpleContent") if node.kind == "complexType" else None
            way = content.only("extension", "restriction") if content else None
            if way is None or "base" not in way.values:
                continue
            base = self.key(way, way.values["base"])
            above = self.parts["type"].get(base)
            if (
                above is not None
                and above.kind == "complexType"
                and "block" not in above.values
                and not above.document.blocks
            ):
                found[key] = base
        return found


def _true(value: str | None) -> bool:
    return value is not None and value.strip() in ("true", "1")


def _facets(node: Node) -> list[tuple[str, str]]:
    return [
        (p.kind, p.values.get("value", ""))
        for p in node.parts
        if p.kind not in ("simpleType", "attribute", "attributeGroup")
    ]


# -- files -----------------------------------------------------------------------------------------------------------------

_KINDS = {
    "complexType": "type",
    "simpleType": "type",
    "element": "element",
    "attribute": "attribute",
    "group": "group",
    "attributeGroup": "attributeGroup",
}


def read(path: Path) -> Schema:
    """A schema and all that it includes and imports, from disk only. `Unsupported` when a file is missing or redefines another."""
    schema = Schema(parts={kind: {} for kind in _KINDS.values()})
    # As libxml2 does, a namespace is imported once, from the first place named; a file is included once per target namespace.
    seen: set[tuple[Path, str]] = set()
    imported: set[str] = set()
    root = _parse(path)
    schema.main = root.get("targetNamespace", "")
    imported.add(schema.main)
    todo = [(path.resolve(), schema.main, root)]
    seen.add((path.resolve(), schema.main))
    while todo:
        place, target, root = todo.pop()
        document = Document(
            target,
            "targetNamespace" not in root.attrib and bool(target),
            root.get("elementFormDefault") == "qualified",
            root.get("attributeFormDefault") == "qualified",
            bool(root.get("blockDefault")),
        )
        for node in _nodes(root, document):
            if node.kind in ("include", "import"):
                location = node.values.get("schemaLocation")
                space = target if node.kind == "include" else node.values.get("namespace", "")
                if node.kind == "import":
                    if space in imported or location is None:
                        continue
                    imported.add(space)
                if location is None:
                    raise Unsupported("an include without a location")
                other = (place.parent / location).resolve()
                if (other, space) in seen:
                    continue
                seen.add((other, space))
                found = _parse(other)
                declared = found.get("targetNamespace")
                if declared != space and not (declared is None and node.kind == "include"):
                    raise Unsupported("a file whose namespace is not that of its import")
                todo.append((other, space, found))
            elif node.kind in _KINDS:
                kept = schema.parts[_KINDS[node.kind]]
                key = (target, node.values["name"])
                if key in kept:
                    raise Unsupported(f"two declarations of one name: {key[1]}")
                kept[key] = node
            elif node.kind != "notation":
                raise Unsupported(f"xs:{node.kind} at the top of a schema")
    return schema


def _parse(path: Path) -> Any:
    from lxml import etree

    parser = etree.XMLParser(no_network=True, load_dtd=False, remove_comments=True, remove_pis=True)
    try:
        return etree.parse(str(path), parser).getroot()
    except (OSError, etree.XMLSyntaxError) as error:
        raise Unsupported(f"a schema file that cannot be read: {path.name}") from error


def _nodes(element: Any, document: Document) -> list[Node]:
    mark = f"{{{XSD}}}"
    found = []
    for part in element:
        if not isinstance(part.tag, str) or not part.tag.startswith(mark) or part.tag == f"{mark}annotation":
            continue
        found.append(
            Node(
                part.tag[len(mark) :],
                dict(part.attrib),
                _nodes(part, document),
                dict(part.nsmap),
                document,
            )
        )
    return found
