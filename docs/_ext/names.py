"""The directive ``name-index``: what the snippets use of which module, and where.

The names are found in the code of the snippets by ``ast``, without running it:

* ``module.name``, by whatever name the module was imported;
* ``class.name``, where it is plain of which class a value is: it was made by calling
  the class, is annotated with it, is the attribute or the result of something that
  is, or is of a class of the snippet that derives from it;
* of a value of which that is not plain: the methods that sockets alone have.
"""

import ast
import importlib
import inspect
import socket
import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

import sheet
import turns
from sections import Section

logger = logging.getLogger(__name__)

SOCKET = "socket.socket"
PAIR, EACH = "first of ", "each of "  # tuples of which the first, or each item, is one
# What calls return, where it is not of a class with the name that was called.
RETURNS = {
    "socket.create_connection": SOCKET,
    "socket.create_server": SOCKET,
    "socket.fromfd": SOCKET,
    "socket.socketpair": EACH + SOCKET,
    "socket.socket.accept": PAIR + SOCKET,
    "socket.socket.dup": SOCKET,
    "ssl.SSLSocket.accept": PAIR + "ssl.SSLSocket",
    "ssl.SSLSocket.unwrap": SOCKET,
    "ssl.SSLContext.wrap_socket": "ssl.SSLSocket",
    "ssl.create_default_context": "ssl.SSLContext",
}
# Functions that stand for a class that has no name, or is not on every system.
OBJECTS = {"select.devpoll", "select.epoll", "select.kevent", "select.kqueue"}
OBJECTS |= {"select.poll"}
# Methods that others have, too, so that they tell nothing of what has them.
COMMON = {"close", "detach", "dup", "family", "fileno", "proto", "send", "timeout"}
COMMON |= {"type", "connect"}
SOCKETS_ALONE = {
    name for name in dir(socket.socket) if not name.startswith("_")
} - COMMON


def names_in(code: str | bytes) -> set[str]:
    """Return the names, such as ``socket.AF_INET``, that *code* uses."""
    reader = Reader()
    reader.read(ast.parse(code))
    return reader.found


class Reader(ast.NodeVisitor):
    """Finds names; knows of which class the variables and attributes are, so far."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.imported: dict[str, str] = {}
        self.known: dict[str, str] = {}  # the classes of the variables in scope
        self.own = ""  # the class that is being read
        #: Of each class of the snippet its base, or "", and what its attributes are.
        self.bases: dict[str, str] = {}
        self.attributes: dict[str, dict[str, str]] = defaultdict(dict)
        self.results: dict[str, str] = {}  # of the functions of the snippet

    def read(self, module: ast.Module) -> None:
        """Add the names of *module*; what stands below may be used above."""
        for node in ast.walk(module):
            if isinstance(node, ast.Import):
                for name in node.names:
                    whole = name.name if name.asname else name.name.split(".")[0]
                    self.imported[name.asname or whole] = whole
            elif isinstance(node, ast.ImportFrom):
                for name in node.names:
                    full = f"{node.module}.{name.name}"
                    self.imported[name.asname or name.name] = full
        classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
        self.bases = {node.name: "" for node in classes}
        for node in classes:
            self.bases[node.name] = self.name_of(node.bases[0]) if node.bases else ""
        for function in module.body:
            if isinstance(function, ast.FunctionDef) and function.returns:
                self.results[function.name] = self.annotated(function.returns)
        self.visit(module)  # the first time to learn what attributes are
        self.found.clear()
        self.visit(module)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Read a class; what it sets may be its base's."""
        before, self.own = self.own, node.name
        for statement in node.body:
            if isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        self.add_member(self.bases.get(node.name, ""), target.id)
            elif isinstance(statement, ast.AnnAssign) and isinstance(
                statement.target, ast.Name
            ):
                kind = self.annotated(statement.annotation)
                self.attributes[node.name][statement.target.id] = kind
        self.generic_visit(node)
        self.own = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Read a function, whose variables are its own."""
        before, self.known = self.known, dict(self.known)
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        for number, argument in enumerate(arguments):
            kind = self.own if number == 0 else ""
            if argument.annotation:
                kind = self.annotated(argument.annotation)
            self.known[argument.arg] = kind
        self.generic_visit(node)
        self.known = before

    def visit_Assign(self, node: ast.Assign) -> None:
        """Learn what the variables are from now on."""
        self.visit(node.value)
        kind = self.type_of(node.value)
        for target in node.targets:
            self.assign(target, kind)
            self.visit(target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Learn what the variable is said to be."""
        self.assign(node.target, self.annotated(node.annotation))
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        """Learn what the variable is from now on."""
        self.visit(node.value)
        self.assign(node.target, self.type_of(node.value))

    def visit_withitem(self, node: ast.withitem) -> None:
        """Learn what the variable is; what a class is entered for is itself."""
        self.visit(node.context_expr)
        if node.optional_vars:
            self.assign(node.optional_vars, self.type_of(node.context_expr))

    def visit_Name(self, node: ast.Name) -> None:
        """Add what was imported by its own name."""
        full = self.imported.get(node.id, "")
        if "." in full and node.id not in self.known and not is_module(full):
            self.found.add(full)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Add the name that *node* stands for."""
        full = self.name_of(node)
        if full:
            self.found.add(full)
            return
        owner = self.type_of(node.value)
        if owner in self.bases:
            if node.attr not in self.attributes[owner]:
                self.add_member(self.bases[owner], node.attr)
        elif owner:
            self.add_member(owner, node.attr)
        elif node.attr in SOCKETS_ALONE:
            self.found.add(f"{SOCKET}.{node.attr}")
        self.visit(node.value)

    def assign(self, target: ast.expr, kind: str) -> None:
        """Note that *target* is of class *kind* from now on."""
        if isinstance(target, ast.Tuple) and kind.startswith(PAIR):
            self.assign(target.elts[0], kind.removeprefix(PAIR))
        elif isinstance(target, ast.Tuple) and kind.startswith(EACH):
            for item in target.elts:
                self.assign(item, kind.removeprefix(EACH))
        elif isinstance(target, ast.Name):
            self.known[target.id] = kind
        elif isinstance(target, ast.Attribute):
            owner = self.type_of(target.value)
            if owner in self.bases:
                known = self.attributes[owner]
                known[target.attr] = known.get(target.attr) or kind

    def add_member(self, owner: str, name: str) -> None:
        """Add a member of a class of the library, if it is one."""
        if has_member(owner, name):
            self.found.add(f"{owner}.{name}")

    def name_of(self, node: ast.expr) -> str:
        """Return what *node* is called in the library; "" if it is not of it.

        What follows the name of a function or a constant is no part of the name.
        """
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, "")
        if not isinstance(node, ast.Attribute):
            return ""
        owner = self.name_of(node.value)
        if not owner:
            return ""
        full = f"{owner}.{node.attr}"
        return full if is_module(owner) or has_member(owner, node.attr) else ""

    def annotated(self, node: ast.expr) -> str:
        """Return the class that an annotation names, or one of two; "" if none."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self.annotated(ast.parse(node.value, mode="eval").body)
        if isinstance(node, ast.BinOp):
            return self.annotated(node.left) or self.annotated(node.right)
        if isinstance(node, ast.Subscript):
            return self.annotated_items(node)
        if isinstance(node, ast.Name) and node.id in self.bases:
            return node.id
        full = self.name_of(node)
        return "" if full == "typing.Any" else full

    def annotated_items(self, node: ast.Subscript) -> str:
        """Return, of a generic type, that of a tuple's first item."""
        if isinstance(node.value, ast.Name) and node.value.id == "tuple":
            items = node.slice
            first = items.elts[0] if isinstance(items, ast.Tuple) else items
            kind = self.annotated(first)
            return PAIR + kind if kind else ""
        return ""

    def type_of(self, node: ast.expr) -> str:
        """Return the class of *node*, of the library or the snippet; "" if unclear."""
        if isinstance(node, ast.Name):
            return self.known.get(node.id, "")
        if isinstance(node, ast.Attribute):
            return self.attributes.get(self.type_of(node.value), {}).get(node.attr, "")
        if isinstance(node, ast.Call):
            return self.type_of_call(node)
        if isinstance(node, ast.BoolOp):
            kinds = [self.type_of(value) for value in node.values]
            return next(filter(None, kinds), "")
        return ""

    def type_of_call(self, node: ast.Call) -> str:
        """Return the class of what a call returns."""
        called = node.func
        if isinstance(called, ast.Name) and called.id in self.bases:
            return called.id
        if isinstance(called, ast.Name) and called.id in self.results:
            return self.results[called.id]
        full = self.name_of(called)
        if not full and isinstance(called, ast.Attribute):
            owner = self.type_of(called.value)
            full = f"{owner}.{called.attr}" if owner else ""
        return RETURNS.get(full) or (full if is_class(full) else "")


@cache
def library(full: str) -> object:
    """Return what has the name *full* in the library, or None."""
    module, _, rest = full.partition(".")
    if module not in sys.stdlib_module_names:
        return None
    try:
        found: object = importlib.import_module(module)
        for part in rest.split(".") if rest else []:
            if inspect.ismodule(found) and not hasattr(found, part):
                importlib.import_module(f"{found.__name__}.{part}")
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found


def is_module(full: str) -> bool:
    """Tell whether *full* is a module."""
    return inspect.ismodule(library(full))


def is_class(full: str) -> bool:
    """Tell whether *full* is a class, or something that stands for one."""
    return full in OBJECTS or inspect.isclass(library(full))


def has_member(owner: str, name: str) -> bool:
    """Tell whether the class *owner* has *name*; what is not on this system may."""
    if owner in OBJECTS:
        return not name.startswith("_")
    found = library(owner)
    return inspect.isclass(found) and hasattr(found, name) and not name.startswith("_")


# Of each file its code and the names in it: a key of env.metadata[docname].
LISTED = "names in files"
Listed = dict[str, tuple[bytes, set[str]]]


class NameIndex(SphinxDirective):
    """A section for each module: its names, and the sections that use them."""

    option_spec = {"leave-out": directives.unchanged_required}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        current = sheet.of(self.env)
        self.env.note_dependency(str(current.root / "docs" / "sections.toml"))
        left_out = set(self.options.get("leave-out", "").split())
        users: dict[str, dict[str, list[Section]]] = defaultdict(dict)
        listed: Listed = {}
        self.env.metadata[self.env.docname][LISTED] = listed
        for section in current.written:
            path = current.root / "snippets" / f"{section.snippet}.py"
            if not path.is_file():
                continue  # the page that shows it says so
            code = path.read_bytes()
            try:
                listed[str(path)] = (code, names_in(code))
            except (SyntaxError, ValueError) as error:  # of NUL, before CPython 3.11.4
                where = f"{path}:{getattr(error, 'lineno', None) or 1}"
                what = getattr(error, "msg", error)
                logger.warning("%s: %s: mend it", where, what, type="names")
                continue
            for name in listed[str(path)][1]:
                module = module_of(name)
                if module not in left_out:
                    users[module].setdefault(name, []).append(section)
        return [self.section(module, users[module]) for module in sorted(users)]

    def section(self, module: str, users: Mapping[str, list[Section]]) -> nodes.section:
        """Return the names of *module*."""
        part = nodes.section("", nodes.title("", module), names=[module])
        self.state.document.note_implicit_target(part, part)
        names = nodes.definition_list(classes=["name-index"])
        for name in sorted(users, key=lambda name: (name.lower(), name)):
            names += nodes.definition_list_item(
                "",
                nodes.term("", "", link_to_library(name)),
                nodes.definition("", users_of(users[name])),
            )
        part += names
        return part


def module_of(name: str) -> str:
    """Return the module that *name* is in."""
    module = name.rpartition(".")[0]
    while module and not is_module(module):
        module = module.rpartition(".")[0]
    return module or name.rpartition(".")[0]


def link_to_library(name: str) -> nodes.Element:
    """Return *name*, a link where an inventory of the standard library is at hand."""
    literal = nodes.literal("", name, classes=["xref", "py", "py-obj"])
    if name.partition(".")[0] not in sys.stdlib_module_names:
        return literal
    return addnodes.pending_xref(
        "", literal, refdomain="py", reftype="obj", reftarget=name, in_index=True
    )


def lists_others(_env: BuildEnvironment, metadata: dict[str, Any]) -> bool:
    """Tell whether a page lists other names than there are now in the files."""
    return not all(map(is_as_listed, metadata.get(LISTED, {}).items()))


def is_as_listed(file: tuple[str, tuple[bytes, set[str]]]) -> bool:
    """Tell whether the names in *file* are those that are listed."""
    path, (code, names) = file
    try:
        now = Path(path).read_bytes()
        return now == code or names_in(now) == names
    except (OSError, SyntaxError, ValueError):
        return False


def leave_plain(
    _app: Sphinx,
    _env: BuildEnvironment,
    node: addnodes.pending_xref,
    contnode: nodes.TextElement,
) -> nodes.TextElement | None:
    """Show a name of the index without a link where Python's documentation has none."""
    return contnode if node.get("in_index") else None


def users_of(sections: list[Section]) -> nodes.paragraph:
    """Return links to *sections*, each by the name of its snippet."""
    line = nodes.paragraph()
    for section in sections:
        if line.children:
            line += nodes.Text(", ")
        link = sheet.link_to_section(section)
        link.children.clear()
        link += nodes.inline("", section.snippet)
        line += link
    return line


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.setup_extension("sheet")
    app.add_directive("name-index", NameIndex)
    turns.read_again_where(app, lists_others)
    app.connect("missing-reference", leave_plain, priority=900)  # after intersphinx
    return {
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
