"""The lines that the other test scripts print, too."""


class Tally:
    def __init__(self):
        self.passed = self.failed = 0
        self.notes = []  # of the last checks, for the document

    def result(self, name, problems, details=""):
        self.notes.append("%s: %s%s" % (name, "; ".join(problems) + ": " if problems else "", details))
        if problems:
            self.failed += 1
            print("FAILED  %s" % name)
            for line in problems + ([details] if details else []):
                print("    " + line.replace("\n", "\n    "), flush=True)
        else:
            self.passed += 1
            print("ok      %s%s" % (name, ": " + details if details else ""), flush=True)

    def skip(self, what, why):
        print("SKIPPED: %s: %s" % (what, why), flush=True)

    def end(self):
        print("%d passed, %d failed" % (self.passed, self.failed), flush=True)
        return 1 if self.failed else 0
