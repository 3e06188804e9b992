"""What mutants.py makes of a source: the body of a function once for each of its mutants."""


class Mutant:
    def __init__(self, number, told):
        self.number = number
        self.file = told["file"]
        self.name = told["name"]
        self.text = told["replacement"]
        self.span = told["span"]
        self.function = told["function"] and told["function"]["span"]
        self.is_alone = not told["function"] or "impl " in told["function"]["return_type"]
        self.result = None

    def mutation(self):
        """As it is called, without the place: lines move."""
        return self.name.split(": ", 1)[1]


class Source:
    """A file as it was, where a place is a line and a column, both counted from 1."""

    def __init__(self, text):
        self.text = text
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def at(self, place):
        return self.starts[place["line"] - 1] + place["column"] - 1

    def range(self, span):
        return self.at(span["start"]), self.at(span["end"])

    def line(self, number):
        return self.text[self.starts[number - 1] : self.starts[number]].strip()


def body_of(source, first, last):
    """Where the braces of a function are. Its signature has none."""
    at = first
    while at < last:
        line_end = source.text.find("\n", at)
        line = source.text[at:line_end].lstrip()
        if line.startswith(("//", "#[")):
            at = line_end + 1
        elif "{" in line:
            return source.text.index("{", at), last
        else:
            at = line_end + 1
    raise ValueError("a function without a body")


def outermost(source, mutants):
    """Functions with what is to be changed in them: a function inside of another one is a part of that."""
    functions = []
    for first, last in sorted({source.range(it.function) for it in mutants}, key=lambda it: (it[0], -it[1])):
        if not functions or first >= functions[-1][1]:
            functions.append((first, last, []))
    for mutant in mutants:
        at = source.range(mutant.span)[0]
        next(inside for first, last, inside in functions if first <= at < last).append(mutant)
    return functions


def rewritten(source, mutants):
    """The file with all of these in it, and for each of its lines whose it is: one mutant's, or all those of a
    function's."""
    text, owners = "", []

    def add(piece, owner=None):
        nonlocal text
        text += piece
        owners.extend([owner] * (text.count("\n") - len(owners)))

    done = 0
    for first, last, inside in outermost(source, mutants):
        begin, end = body_of(source, first, last)
        add(source.text[done:begin] + "{ match crate::mutation::chosen() {\n")
        for mutant in inside:
            change, rest = source.range(mutant.span)
            body = source.text[begin:change] + mutant.text + source.text[rest:end]
            add(f"{mutant.number} =>\n")
            add(f"{body}\n", mutant)
        add("_ =>\n" + source.text[begin:end] + "\n} }", inside)
        done = end
    add(source.text[done:] + "\n")
    return text, owners
