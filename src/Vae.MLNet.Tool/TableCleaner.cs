using System.Globalization;
using System.Text;

namespace Vae.MLNet.Tool;

/// <summary>
/// The text of a table as Sep reads it: comments become empty lines, so that lines keep their numbers, runs of blanks become one tab where blanks separate the fields,
/// and a quote inside a field that does not begin with one is only a letter.
/// </summary>
/// <param name="path">Named in errors.</param>
/// <param name="head">What was read of the text already.</param>
/// <param name="rest">The rest of the text.</param>
/// <param name="separator">Between fields; a space stands for any run of blanks.</param>
/// <param name="partial">Whether the text is only the start of a table, which may end inside a quoted field.</param>
internal sealed class TableCleaner(string path, string head, TextReader rest, char separator, bool partial) : TextReader
{
    /// <summary>Stands for a quote that is a letter; <see cref="Restore"/> puts the quote back.</summary>
    private const char Letter = '\uE000';

    /// <summary>Longest comment that could be a header.</summary>
    private const int LongestComment = 1 << 16;

    /// <summary>What a spreadsheet writes for an error; a line that starts with one is no comment.</summary>
    private static readonly string[] Errors = ["#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!"];

    private readonly bool _blanks = separator == ' ';
    private readonly StringBuilder _comment = new();
    private readonly StringBuilder _out = new();
    private readonly char[] _in = new char[1 << 14];
    private State _state = State.LineStart;
    private string? _head = head;
    private int _outStart, _line = 1, _quoteLine;
    private bool _afterReturn, _pendingBlank, _ended, _begun;

    private enum State
    {
        /// <summary>Nothing but blanks yet in this line.</summary>
        LineStart,

        /// <summary>Nothing but blanks yet in this field.</summary>
        FieldStart,

        Field,

        Quoted,

        /// <summary>Behind a quote in a quoted field: its end, or the first of a pair.</summary>
        QuoteSeen,

        /// <summary>Behind the end of a quoted field.</summary>
        Closed,

        Comment,
    }

    /// <summary>Comments behind the first row.</summary>
    public int LaterComments { get; private set; }

    /// <summary>The line of the first of them, from 1.</summary>
    public int FirstLaterComment { get; private set; }

    /// <summary>
    /// The last comment before the first row, without its sign. The reader runs ahead of the rows that it has given, so that only the text
    /// tells which one that is.
    /// </summary>
    public string LeadingComment { get; private set; } = "";

    /// <summary>A field's text as it was in the file.</summary>
    public static string Restore(string field) => field.Replace(Letter, '"');

    /// <summary>What separates fields for Sep.</summary>
    public static char SeparatorOfCleaned(char separator) => separator == ' ' ? '\t' : separator;

    public override int Read(char[] buffer, int index, int count) => Read(buffer.AsSpan(index, count));

    public override int Read(Span<char> buffer)
    {
        while (_out.Length == _outStart && !_ended)
        {
            _out.Clear();
            _outStart = 0;
            if (_head is { } first)
            {
                _head = null;
                Clean(first);
                continue;
            }
            int read = rest.Read(_in, 0, _in.Length);
            if (read > 0)
                Clean(_in.AsSpan(0, read));
            else
                End();
        }
        int count = Math.Min(buffer.Length, _out.Length - _outStart);
        _out.CopyTo(_outStart, buffer[..count], count);
        _outStart += count;
        return count;
    }

    public override int Peek() => throw new NotSupportedException();

    public override int Read()
    {
        Span<char> one = stackalloc char[1];
        return Read(one) == 1 ? one[0] : -1;
    }

    private void End()
    {
        _ended = true;
        if (_state == State.Quoted && !partial)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"'{path}', line {_quoteLine}: the quotes do not close."));
        if (_state == State.Comment)
            EndComment();
    }

    private void Clean(ReadOnlySpan<char> text)
    {
        foreach (char letter in text)
        {
            if (letter == '\0')
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"'{path}', line {_line}: text is expected, a NUL was found; is this another kind of file?"));
            bool secondOfPair = letter == '\n' && _afterReturn;
            _afterReturn = letter == '\r';
            if (letter is '\r' or '\n')
            {
                if (_state == State.Comment && !secondOfPair)
                    EndComment();
                if (!secondOfPair)
                    _line++;
                if (_state != State.Quoted)
                {
                    _state = State.LineStart;
                    _pendingBlank = false;
                }
                _out.Append(letter);
                continue;
            }
            Next(letter);
        }
    }

    private void Next(char letter)
    {
        switch (_state)
        {
            case State.Comment:
                if (_comment.Length < LongestComment)
                    _comment.Append(letter);
                // What looked like a comment may be a value after all.
                if (_comment.Length <= 8)
                    Reconsider();
                return;
            case State.Quoted:
                if (letter == '"')
                    _state = State.QuoteSeen;
                _out.Append(letter);
                return;
            case State.QuoteSeen when letter == '"':
                _state = State.Quoted;
                _out.Append(letter);
                return;
            case State.QuoteSeen:
                _state = State.Closed;
                break;
        }
        if (_blanks ? letter is ' ' or '\t' : letter == separator)
        {
            if (!_blanks)
            {
                _begun = true;
                _state = State.FieldStart;
                _out.Append(letter);
            }
            else if (_state != State.LineStart)
            {
                _state = State.FieldStart;
                _pendingBlank = true;
            }
            return;
        }
        if (letter is ' ' or '\t')
        {
            // Sep trims spaces around a field, and no tabs.
            _out.Append(_state == State.Field ? letter : ' ');
            return;
        }
        if (_state == State.Closed)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"'{path}', line {_line}: '{letter}' stands behind the closing quote of a field; a separator is expected."));
        if (_state == State.LineStart && letter == '#')
        {
            _state = State.Comment;
            _comment.Clear().Append(letter);
            return;
        }
        _begun = true;
        if (_pendingBlank)
        {
            _pendingBlank = false;
            _out.Append('\t');
        }
        if (letter == '"' && _state is (State.LineStart or State.FieldStart))
        {
            _state = State.Quoted;
            _quoteLine = _line;
            _out.Append(letter);
            return;
        }
        _state = State.Field;
        _out.Append(letter == '"' ? Letter : letter);
    }

    /// <summary>A sign that is a field of its own, and a spreadsheet's error, start a row and not a comment.</summary>
    private void Reconsider()
    {
        string text = _comment.ToString();
        bool field = !_blanks && text.Length == 2 && text[1] == separator;
        if (!field && !Errors.Contains(text))
            return;
        _begun = true;
        _out.Append(text);
        _state = field ? State.FieldStart : State.Field;
    }

    private void EndComment()
    {
        if (!_begun)
        {
            LeadingComment = _comment.ToString(1, _comment.Length - 1).Trim();
        }
        else if (LaterComments++ == 0)
        {
            FirstLaterComment = _line;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            rest.Dispose();
        base.Dispose(disposing);
    }
}
