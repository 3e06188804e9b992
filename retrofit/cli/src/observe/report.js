// A click on a column's head sorts by it: the most first, and the other way round with the next click.
(function () {
    var table = document.getElementById("sites"), body = table.tBodies[0];
    var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
    function value(row, at) {
        return row.cells[at].getAttribute("data-value");
    }
    function sort(at) {
        var head = heads[at], words = at === 1;
        var upwards = head.hasAttribute("aria-sort") ? head.getAttribute("aria-sort") === "descending" : words || at === 0;
        var rows = Array.prototype.slice.call(body.rows);
        rows.sort(function (a, b) {
            var order = words ? value(a, at).localeCompare(value(b, at)) : value(a, at) - value(b, at);
            return (upwards ? order : -order) || value(a, 0) - value(b, 0);
        });
        rows.forEach(function (row) { body.appendChild(row); });
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", upwards ? "ascending" : "descending");
    }
    heads.forEach(function (head, at) {
        if (head.className === "picture") return;
        var button = document.createElement("button");
        button.type = "button";
        button.textContent = head.textContent;
        button.addEventListener("click", function () { sort(at); });
        head.textContent = "";
        head.appendChild(button);
    });
}());
