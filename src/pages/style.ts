/** The one stylesheet of the pages. Colours keep at least 4.5:1 on their ground, in the light and in the dark. */
export const STYLE = `
:root{color-scheme:light dark;
--ground:#f6f7f9;--card:#fff;--ink:#1a1f27;--soft:#545d6a;--line:#d5dae1;--link:#0b57b8;
--good:#0d6b3c;--good-bg:#e3f4ea;--wait:#7a4a00;--wait-bg:#fdf0d8;--bad:#a8201a;--bad-bg:#fde8e6;--move:#0b57b8;--move-bg:#e5effb;
--button:#fff;--focus:#0b57b8}
@media (prefers-color-scheme:dark){:root{
--ground:#14171c;--card:#1d2128;--ink:#e8ebf0;--soft:#a7b0bd;--line:#363d48;--link:#8ab8ff;
--good:#7fd6a4;--good-bg:#16301f;--wait:#f3c26b;--wait-bg:#382a10;--bad:#ff9d96;--bad-bg:#411d1b;--move:#9cc3ff;--move-bg:#182a44;
--button:#2a3039;--focus:#9cc3ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
a{color:var(--link)}a:hover{text-decoration-thickness:2px}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-999px;top:0;background:var(--card);padding:.6rem 1rem;z-index:2}.skip:focus{left:.5rem;top:.5rem}
.visually-hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
header.top{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;align-items:center;padding:.6rem 1.2rem;background:var(--card);border-bottom:1px solid var(--line)}
header.top strong{font-size:1.05rem}header.top nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;margin:0;padding:0}
nav a[aria-current]{color:var(--ink);font-weight:600;text-decoration:none;border-bottom:2px solid var(--link)}
.who{margin-left:auto;color:var(--soft);font-size:.9rem}
.env{border-radius:3px;padding:.05rem .5rem;font-weight:700;background:var(--move-bg);color:var(--move);border:1px solid currentColor}
.env.prod{background:#b3201a;color:#fff;border-color:#b3201a}
main{max-width:78rem;margin:0 auto;padding:1rem 1.2rem 2rem}
footer{max-width:78rem;margin:0 auto;padding:0 1.2rem 2rem;color:var(--soft);font-size:.85rem}
h1{font-size:1.5rem;line-height:1.25;margin:.4rem 0 .6rem}h2{font-size:1.15rem;margin:1.8rem 0 .6rem}h3{font-size:1rem;margin:0 0 .3rem}
p{margin:.35rem 0}.soft,.age{color:var(--soft);font-weight:400}.age{font-size:.92em}.small{font-size:.88rem}
.verdict{border-left:6px solid;border-radius:6px;padding:.8rem 1rem;margin:.6rem 0 1rem;background:var(--card)}
.verdict h1{margin:0}.verdict p{margin:.3rem 0 0}
.good{color:var(--good);background:var(--good-bg)}.wait{color:var(--wait);background:var(--wait-bg)}.bad{color:var(--bad);background:var(--bad-bg)}.move{color:var(--move);background:var(--move-bg)}
.verdict p{color:var(--ink)}
.tag{display:inline-block;border:1px solid currentColor;border-radius:99px;padding:0 .55rem;font-size:.85rem;font-weight:600;white-space:nowrap}
.tag.plain{color:var(--soft)}
.card,.held li.item{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.8rem 1rem;margin:0 0 .7rem}
.held{list-style:none;margin:0;padding:0}.held li.item{border-left:6px solid var(--line)}
.held li.bad{border-left-color:var(--bad);color:inherit;background:var(--card)}.held li.wait{border-left-color:var(--wait);color:inherit;background:var(--card)}
.held .acts{margin-top:.5rem}
.acts{display:flex;flex-wrap:wrap;gap:.4rem;align-items:center}.acts form{margin:0;display:flex;flex-wrap:wrap;gap:.3rem}.acts input.why{font:inherit;font-size:.85rem;width:9rem;padding:.2rem .4rem;border:1px solid var(--soft);border-radius:5px;background:var(--card);color:var(--ink)}
button,.button{font:inherit;font-weight:600;min-height:2.2rem;padding:.25rem .9rem;border-radius:5px;border:1px solid var(--soft);background:var(--button);color:var(--ink);cursor:pointer}
button:hover{border-color:var(--link)}button.main{background:#0b57b8;border-color:#0b57b8;color:#fff}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;margin:0}
.figures div{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.55rem .8rem}
.figures dt{color:var(--soft);font-size:.85rem}.figures dd{margin:0;font-size:1.35rem;font-weight:650;line-height:1.3}.figures dd small{display:block;font-size:.82rem;font-weight:400;color:var(--soft)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:.92rem}caption{text-align:left;padding:.6rem .8rem 0;font-weight:600}caption span{font-weight:400;color:var(--soft)}
th,td{text-align:left;vertical-align:top;padding:.5rem .8rem;border-top:1px solid var(--line)}thead th{border-top:0;color:var(--soft);font-weight:600;white-space:nowrap}
td,th{overflow-wrap:break-word}td.n{white-space:nowrap}tbody th{font-weight:600}
dl.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.25rem 1rem;margin:.4rem 0}dl.facts dt{color:var(--soft)}dl.facts dd{margin:0}
form.search{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.7rem;align-items:start}form.search .acts{padding-top:1.35rem}.hint{color:var(--soft);font-size:.85rem;margin:.15rem 0 0}
label{display:block;font-weight:600;font-size:.9rem}label .soft{font-weight:400}
input[type=text],select,textarea{font:inherit;width:100%;padding:.4rem .55rem;border:1px solid var(--soft);border-radius:5px;background:var(--card);color:var(--ink)}
textarea{min-height:4.5rem}input[aria-invalid=true],textarea[aria-invalid=true]{border:2px solid var(--bad)}
.error{color:var(--bad);font-weight:600;margin:.2rem 0}
fieldset{border:1px solid var(--line);border-radius:6px;margin:.6rem 0;padding:.5rem .9rem .8rem}legend{font-weight:600;padding:0 .3rem}
.choice{display:grid;grid-template-columns:auto 1fr;gap:.1rem .6rem;margin:.5rem 0}.choice input{margin-top:.3rem;width:1.05rem;height:1.05rem}.choice p{grid-column:2;margin:0;color:var(--soft)}
.notice{border:1px solid currentColor;border-radius:6px;padding:.6rem 1rem;margin:.6rem 0;font-weight:600}
ol.steps{margin:.3rem 0;padding-left:1.4rem;font-size:.9rem}ol.steps li{padding:.1rem 0}ol.steps time{color:var(--soft);font-variant-numeric:tabular-nums}
.figures .wide{grid-column:1/-1}h4{margin:.8rem 0 .2rem}.bars caption{padding:.5rem 0 .1rem;font-size:.88rem}
.bars{width:100%;max-width:36rem}.bars th{font-weight:400;white-space:nowrap}.bars td{padding:.2rem .8rem;border:0}.bars th{padding:.2rem .8rem .2rem 0;border:0}
.bar{display:block;height:.7rem;min-width:2px;border-radius:3px;background:var(--wait);opacity:.75}
pre{white-space:pre-wrap;background:var(--ground);border:1px solid var(--line);border-radius:5px;padding:.6rem;margin:.4rem 0;font-size:.85rem}
summary{cursor:pointer;font-weight:600}
.pager{display:flex;gap:1.2rem;margin:.9rem 0}
@media (max-width:44rem){main,header.top,footer{padding-left:.8rem;padding-right:.8rem}.who{margin-left:0}dl.facts{grid-template-columns:minmax(0,1fr);gap:0}.bars td+td{display:none}.bars th{white-space:normal}dl.facts dd{margin-bottom:.35rem}h1{font-size:1.25rem}
table.rows caption{display:block}table.rows thead{position:absolute;left:-9999px}table.rows,table.rows tbody,table.rows tr,table.rows th,table.rows td{display:block}table.rows tr{border-top:2px solid var(--line);padding:.4rem 0}table.rows td,table.rows tbody th{border:0;padding:.15rem .8rem}
table.rows td[data-label]::before{content:attr(data-label) ": ";color:var(--soft)}}
@media (forced-colors:active){.bar{background:CanvasText}}
`;
