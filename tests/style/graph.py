#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The structure of the sources, read from the sources and the objects of a build.

    graph.py rooms           which room uses which, with the number of includes and calls
    graph.py files [ROOM]    which file uses which, with a symbol that it uses
    graph.py check           fails on an arrow that is not declared, a circle of files, a library that is not named
    graph.py ... --tree DIR --build DIR    default: this tree, $MTX_BUILD; without a build only includes are seen

A room is a folder. It may use the rooms that its line `room(NAME BELOW... [NEEDS LIBRARY...])` names, in the
CMakeLists.txt of its folder, and the rooms that those use. x.c and x.h are one node, "room/x". A header is a node of
its own, "room/x.h", if there is no x.c, if other sources define what it declares, or if there is an x_inside.h: then x
has several sources, and all of them implement x.h.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import lengths

FOLDERS = ["shm", "registry", "exporters", "tools"]  # each uses only those before it

# Sources outside the rooms, in a folder that has rooms, which join them.
TOPS = {
    "exporters": {"about", "main", "exporter", "exporter_forget", "exporter_inside", "exporter_once", "exporter_reload", "names",
                  "part"},
    "tools": {"mtxctl"},
}

# The only arrows that may run up, by the using node and the symbol: tables made from a list. mtxctl.c, which makes the
# table of commands.def, is above the commands, so it needs no exception.
TABLES = [
    (r"exporters/(contract/)?backends", r"backend_\w+", "backends.def names every out_x.c"),
    (r"registry/(write/)?registry", r"metrics__kind_\w+", "kinds.def names every kind's writer"),
    (r"registry/(read/)?(rows|reading)", r"metrics__kind_read_\w+", "kinds.def names every kind's reader"),
]

# Headers of a library, and the word that names it in a NEEDS list.
LIBRARIES = [
    (r"curl/", "CURL"),
    (r"hiredis", "HIREDIS"),
    (r"jansson\.h", "JANSSON"),
    (r"yaml\.h", "YAML"),
    (r"sqlite3\.h", "SQLITE"),
    (r"microhttpd\.h", "MICROHTTPD"),
    (r"urcu", "URCU"),
    (r"zlib\.h", "ZLIB"),
    (r"msgpack", "MSGPACK"),
    (r"uni(case|conv|ctype|lbrk|name|norm|str|types|width|wbrk)\.h", "UNISTRING"),
]


def level_of(path):
    return FOLDERS.index(path.split("/")[0])


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


class Tree:
    """The files, their rooms, and what the CMakeLists.txt files declare."""

    def __init__(self, root):
        self.root = root
        self.files = sorted(str(p.relative_to(root)) for f in FOLDERS for p in (root / f).rglob("*.[ch]"))
        self.text = {f: (root / f).read_text() for f in self.files}
        self.below, self.needs, self.top_needs, self.definitions = {}, {}, {}, {}
        for folder in FOLDERS:
            self.read_rooms(folder)
        self.public = " ".join(text for f, text in self.text.items() if "/include/" in f)
        self.node = {f: self.node_of(f) for f in self.files}

    def read_rooms(self, folder):
        """Lines that declare the rooms of a folder. Words in capitals begin a list; NEEDS lists libraries."""
        cmake = self.root / folder / "CMakeLists.txt"
        text = re.sub(r"#.*", "", cmake.read_text()) if cmake.exists() else ""
        names = {}  # FOLDER says where a room lies whose name is not its folder's
        for name, words in re.findall(r"\broom\(\s*(\w+)([^)]*)\)", text):
            lists = self.lists_of(words)
            names[name] = room = os.path.normpath(f"{folder}/{''.join(lists['FOLDER']) or name}")
            self.below.setdefault(room, []).extend(names.get(word, word) for word in lists["below"])
            self.needs[room] = self.needs.get(room, "") + " ".join(lists["NEEDS"])
        linked = re.findall(r"target_(?:link_libraries|include_directories|sources)\(([^)]*)\)", text)
        self.top_needs[folder] = " ".join(linked)

    @staticmethod
    def lists_of(words):
        lists, at = collections.defaultdict(list), "below"
        for word in words.split():
            if re.fullmatch("[A-Z]+", word):
                at = word
            else:
                lists[at].append(word)
        return lists

    def has_rooms(self, folder):
        return any(room.startswith(folder + "/") for room in self.below)

    @staticmethod
    def room_of(file):
        """Public headers, x/include/mtx/*.h, are the folder's own."""
        return re.sub(r"/include(/mtx)?$", "", os.path.dirname(file))

    def node_of(self, file):
        stem, extension = os.path.splitext(file)
        if extension == ".c" or (stem + ".c" in self.text and not self.is_shared(file, stem)):
            return stem
        return file

    def is_shared(self, header, stem):
        """Does a header with a source of its name belong to other sources as well?"""
        if stem + "_inside.h" in self.text:
            return True
        code = re.sub(r"^[ \t]*#.*|\{[^{}]*\}", "", without_comments(self.text[header]), flags=re.M)
        declared = set(re.findall(r"\b(\w+)\s*\(", code))
        room = self.room_of(header)
        return any(declared & self.defined(f) for f in self.files
                   if f.endswith(".c") and f != stem + ".c" and self.room_of(f) == room)

    def defined(self, source):
        """The names of a source's functions that others can call."""
        if source not in self.definitions:
            static = set(re.findall(r"^static[^;{]*?\b(\w+)\(", self.text[source], re.M))
            self.definitions[source] = {name for name, _, _ in lengths.functions(self.root / source)} - static
        return self.definitions[source]

    def closure(self, room):
        """The rooms that a room may use, nearest first. What joins the rooms of a folder may use them all."""
        if room in TOPS:
            return [r for r in self.below if r.startswith(room + "/")]
        found, rest = [], list(self.below.get(room, []))
        while rest:
            if rest[0] not in found:
                found.append(rest[0])
                rest += self.below.get(rest[0], [])
            rest.pop(0)
        return found


class Build:
    """What compile_commands.json and the objects say. Each source is taken as its first target compiles it."""

    def __init__(self, tree, directory):
        self.commands, self.objects = {}, {}
        path = directory / "compile_commands.json" if directory else None
        for entry in json.loads(path.read_text()) if path and path.exists() else []:
            source = os.path.relpath(os.path.realpath(entry["file"]), tree.root.resolve())
            words = shlex.split(entry["command"])
            target = pathlib.Path(entry["directory"], words[words.index("-o") + 1])
            if source in tree.text and source not in self.commands:
                self.commands[source] = words
                if target.exists():
                    self.objects[str(target)] = source
        self.tree = tree
        self.found = collections.defaultdict(set)
        for source, words in self.commands.items():
            self.found[tree.room_of(source)] |= self.search_path(words)

    def search_path(self, words):
        rooms = set()
        for i, word in enumerate(words):
            if word.startswith(("-I", "-iquote")):
                path = re.sub("^(-I|-iquote)", "", word) or words[i + 1]
                rooms.add(os.path.relpath(os.path.realpath(path), self.tree.root.resolve()))
        return rooms

    def symbols(self):
        """Yields (source that uses, symbol, source that defines)."""
        if not self.objects:
            return
        text = subprocess.check_output([os.environ.get("NM", "nm"), "-A", "-P", *self.objects], text=True)
        users, definers = [], collections.defaultdict(list)
        for line in text.splitlines():
            where, symbol, kind = line.split()[:3]
            source = self.objects[where.rstrip(":")]
            if kind in "Uwv":
                users.append((source, symbol))
            elif kind.isupper():
                definers[symbol].append(source)
        for source, symbol in users:
            for definer in definers.get(symbol, []):
                yield source, symbol, definer


class Graph:
    def __init__(self, tree, build):
        self.tree, self.build = tree, build
        self.room = {node: tree.room_of(file) for file, node in tree.node.items()}
        self.edges = {node: {} for node in self.room}  # user -> used -> [(how, what)]
        self.counts = collections.defaultdict(collections.Counter)  # (room, room) -> how -> number
        self.arrows = []  # between rooms: (user file, how, what, used file)
        self.libraries = []  # (file, header)
        for file, text in tree.text.items():
            for mark, name in re.findall(r'^ *# *include *([<"])([^>"]+)', text, re.M):
                used = self.resolve(file, mark, name)
                if used:
                    self.add(file, "includes", name, used)
                elif mark == "<":
                    self.libraries.append((file, name))
        for user, symbol, used in build.symbols():
            if not any(re.fullmatch(n, tree.node[user]) and re.fullmatch(s, symbol) for n, s, _ in TABLES):
                self.add(user, "uses", symbol, used)

    def resolve(self, file, mark, name):
        """The file that an include means: beside it, in the rooms below, in its folder, in those below or above."""
        beside = os.path.normpath(os.path.join(os.path.dirname(file), name))
        if mark == '"' and beside in self.tree.text:
            return beside
        if mark == "<" and not name.startswith("mtx/"):
            return None
        rooms, here = self.tree.closure(self.tree.room_of(file)), level_of(file)

        def distance(found):
            room = self.tree.room_of(found)
            return (rooms.index(room) if room in rooms else len(rooms) + (here - level_of(found)) % len(FOLDERS), found)

        files = [f for f in self.tree.files if f.endswith("/" + os.path.basename(name))]
        return min(files, key=distance, default=None)

    def add(self, user, how, what, used):
        a, b = self.tree.node[user], self.tree.node[used]
        if a != b:
            self.edges[a].setdefault(b, []).append((how, what))
        if self.room[a] != self.room[b]:
            self.counts[self.room[a], self.room[b]][how] += 1
            self.arrows.append((user, how, what, used))

    # --- What is wrong: each yields lines ---

    def wrong_arrows(self, how):
        for user, manner, what, used in self.arrows:
            if manner == how and not self.may_use(user, how, what, used):
                a, b = self.tree.room_of(user), self.tree.room_of(used)
                way = "up" if self.is_above(b, a) else "to a room that is not declared"
                yield f'{user}: {how} {what} of {used}: the arrow {a} -> {b} runs {way}'

    def is_above(self, room, other):
        return level_of(room) > level_of(other) or other in self.tree.closure(room)

    def may_use(self, user, how, what, used):
        a, b = self.tree.room_of(user), self.tree.room_of(used)
        declared = self.tree.closure(a)
        if level_of(a) >= level_of(b) and "/include/" in used:
            return True
        if level_of(a) == level_of(b):
            return b in declared
        if level_of(a) < level_of(b):
            return False
        public = how == "uses" and re.search(rf"\b{what}\b", self.tree.public)
        return bool(public) or b in declared or b in self.build.found[a] or not self.build.commands

    def circles(self):
        """For each edge on a circle the shortest circle through it, each once."""
        seen = set()
        for a, b in sorted((a, b) for a in self.edges for b in self.edges[a]):
            path = self.shortest(b, a)
            if path and frozenset(path) not in seen:
                seen.add(frozenset(path))
                around = path[path.index(min(path)):] + path[:path.index(min(path)) + 1]
                steps = [f"\n    {a} {self.reason(a, b)} -> {b}" for a, b in zip(around, around[1:])]
                yield "circle: " + " -> ".join(around) + "".join(steps)

    def shortest(self, start, end):
        came, queue = {start: None}, [start]
        for node in queue:
            for used in sorted(self.edges[node]):
                if used not in came:
                    came[used] = node
                    queue.append(used)
        path = [end] if end in came else []
        while path and came[path[0]]:
            path.insert(0, came[path[0]])
        return path

    def reason(self, a, b):
        """Why a needs b: up to four includes and four symbols."""
        words = []
        for how in ("includes", "uses"):
            names = sorted({what for manner, what in self.edges[a][b] if manner == how})
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            words += [f"{how} {' '.join(names[:4])}{more}"] if names else []
        return "; ".join(words)

    def stray_libraries(self):
        for file, header in self.libraries:
            for pattern, library in LIBRARIES:
                room = self.tree.room_of(file)
                named = self.tree.needs.get(room, self.tree.top_needs[room.split("/")[0]])
                if re.match(pattern, header) and library not in named.upper():
                    yield f"{file}: includes <{header}>, but {room} does not name {library}"

    def homeless(self):
        for file in self.tree.files:
            folder, room = file.split("/")[0], self.tree.room_of(file)
            stem = os.path.splitext(os.path.basename(file))[0]
            if room in self.tree.below or (room == folder and "/include/" in file):
                continue
            if room != folder or (self.tree.has_rooms(folder) and stem not in TOPS.get(folder, ())):
                yield f"{file}: lies in no room that {folder}/CMakeLists.txt declares"

    # --- Commands ---

    def levels(self, edges):
        """The longest way down from each node; the nodes of a circle are on one level or above each other."""
        level = {}

        def visit(node, path):
            if node not in level:
                below = [visit(used, path | {node}) for used in edges[node] if used not in path]
                level[node] = 1 + max(below, default=-1)
            return level[node]

        for node in sorted(edges):
            visit(node, frozenset())
        return level

    def print_graph(self, edges, text):
        level = self.levels(edges)
        for node in sorted(edges, key=lambda n: (level[n], n)):
            print(f"{level[node]:2} {node} ->", " ".join(text(node, used) for used in sorted(edges[node])) or "-")

    def rooms(self, _):
        edges = {room: {} for room in sorted({*self.tree.below, *self.room.values()})}
        for a, b in self.counts:
            edges[a][b] = self.counts[a, b]
        self.print_graph(edges, lambda a, b: f"{b}({edges[a][b]['includes']} includes, {edges[a][b]['uses']} calls)")
        return 0

    def files(self, room):
        def text(node, used):
            calls = [what for how, what in self.edges[node][used] if how == "uses"]
            name = os.path.basename(used) if self.room[node] == self.room[used] else used
            return name + (f"({calls[0]})" if calls else "")

        shown = [n for n in self.edges if not room or (self.room[n] + "/").startswith(room + "/")]
        self.print_graph({n: [used for used in self.edges[n] if used in shown] for n in shown}, text)
        return 0

    def check(self, _):
        rules = [self.wrong_arrows("includes"), self.circles(), self.stray_libraries(), self.homeless()]
        if self.build.objects:
            rules.append(self.wrong_arrows("uses"))
        else:
            print("no objects of a build were found: calls were not looked at")
        failed = 0
        for lines in map(list, rules):
            failed += bool(lines)
            for line in sorted(set(lines)):
                print(line)
        print(f"{len(rules) - failed} passed, {failed} failed")
        return failed > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["rooms", "files", "check"])
    parser.add_argument("room", nargs="?")
    parser.add_argument("--tree", type=pathlib.Path, default=pathlib.Path(__file__).parents[2])
    parser.add_argument("--build", type=pathlib.Path, default=os.environ.get("MTX_BUILD"))
    options = parser.parse_args()
    tree = Tree(options.tree)
    graph = Graph(tree, Build(tree, options.build))
    return getattr(graph, options.command)(options.room)


if __name__ == "__main__":
    sys.exit(main())
